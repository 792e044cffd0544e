"""A cache with a bound of 64 that is still filling when the runs end."""

import itertools
from functools import lru_cache


class Template:
    def __init__(self, number):
        self.number = number


numbers = itertools.count()


@lru_cache(maxsize=64)
def template(number):
    return Template(number)


def run():
    template(next(numbers))
