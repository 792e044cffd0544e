"""A cache with a bound of 8 that fills in the first runs and then replaces its entries."""

import itertools
from functools import lru_cache


class Template:
    def __init__(self, number):
        self.number = number


numbers = itertools.count()


@lru_cache(maxsize=8)
def template(number):
    return Template(number)


def run():
    template(next(numbers))
