"""Which references must go: the smallest cut, what-if, the experiment in the live process."""
