"""Every fifth run fails and leaves its request in a list."""

import itertools


class Request:
    def __init__(self, number):
        self.number = number


FAILED = []
numbers = itertools.count(1)


def run():
    request = Request(next(numbers))
    if request.number % 5 == 0:
        FAILED.append(request)
