"""Any command as target, started as it is: its own marks, the clock or requests say what a run is."""
