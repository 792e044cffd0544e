"""About every third run times out, and its request stays in the table of those under way."""

import itertools
import random


class Request:
    def __init__(self, number):
        self.number = number


class Gateway:
    def __init__(self):
        self.under_way = {}


GATEWAY = Gateway()
DRAW = random.Random(4)
numbers = itertools.count()


def run():
    number = next(numbers)
    GATEWAY.under_way[number] = Request(number)
    if DRAW.random() > 1 / 3:
        del GATEWAY.under_way[number]
