"""Memory outside of the heap: where the growth of the process went."""
