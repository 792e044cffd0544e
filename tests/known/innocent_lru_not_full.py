"""A hand-made LRU cache with room for more than the runs put into it."""

import itertools
from collections import OrderedDict


class Page:
    def __init__(self, number):
        self.number = number


class PageCache:
    def __init__(self, maxsize):
        self.maxsize = maxsize
        self.pages = OrderedDict()

    def get(self, number):
        if number not in self.pages:
            self.pages[number] = Page(number)
            if len(self.pages) > self.maxsize:
                self.pages.popitem(last=False)
        return self.pages[number]


CACHE = PageCache(maxsize=200)
numbers = itertools.count()


def run():
    for _ in range(5):
        CACHE.get(next(numbers))
