"""A generic type is made for a new class in each run: typing remembers the last ones, and lets go."""

import itertools

numbers = itertools.count()


def run():
    made = type(f"Payload{next(numbers)}", (), {})
    return list[made], tuple[made, ...]
