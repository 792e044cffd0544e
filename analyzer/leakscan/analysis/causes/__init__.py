"""Which slots keep which new objects alive, what such a cause is called, and the paths to it.

Whether it is a leak is decided in `judge`."""
