"""From heaps to findings: pure functions, no printing, no files.

Rooms stand one above the other (`results` lowest, `capsule` highest; pyproject.toml has the list) and import
only downwards. How an answer is asked for is in `answers`, how it is written in `report`."""
