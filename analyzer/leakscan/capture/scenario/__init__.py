"""A scenario in a process of its own: how it is run, what is asked of it, and how it ended."""
