"""One snapshot as columns: HeapGraph, its readers (our files, V8's) and exporters.

Knows the file formats and what a reference is; knows nothing of runs, leaks or words."""
