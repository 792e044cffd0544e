"""Which references one line of the program fills, and how objects are reached.

Facts about places; which objects they keep alive is told in `causes`."""
