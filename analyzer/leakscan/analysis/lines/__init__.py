"""Where in the source a slot is made: the heap's facts, and what the parsed source says of them.

Files are read through a function that is passed in, and never executed.
"""
