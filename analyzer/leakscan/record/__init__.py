"""What runs inside the observed process: warms up, runs, counts, and has the native walk write snapshots.

Only the standard library and `_native` may be imported: all else would be in the heap that is measured."""
