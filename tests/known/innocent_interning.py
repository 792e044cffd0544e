"""New strings are interned in each run, and set as attribute names on an object that dies."""

import itertools
import sys

numbers = itertools.count()


class Row:
    pass


def run():
    row = Row()
    for _ in range(20):
        setattr(row, sys.intern(f"column_{next(numbers)}"), 1)
