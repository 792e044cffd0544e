"""One object leaks per run, beside sixty that a warm-up leaves and hundreds that only the collector frees."""

import itertools


class Template:
    def __init__(self, number):
        self.number = number


class Node:
    def __init__(self):
        self.me = self


class Visitor:
    def __init__(self):
        self.seen = ["page"] * 5


TEMPLATES = {}
VISITORS = set()
numbers = itertools.count()


def run():
    for number in range(30):
        key = number + 30 * min(next(numbers) // 30, 4)
        TEMPLATES.setdefault(key, Template(key))
    for _ in range(200):
        Node()
    VISITORS.add(Visitor())
