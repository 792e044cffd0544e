"""A running CPython process, seen and entered from outside.

What the kernel says of it, the ways in, the agent that is loaded into it, the snapshots that it writes.
"""
