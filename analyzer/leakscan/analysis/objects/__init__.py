"""One heap to look around in: what an object is, what it holds, what holds it, and how to find it.

Facts about single objects, made when they are asked for; what leaks is not decided here."""
