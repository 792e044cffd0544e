"""A counter by name that gets a few names more in every run."""

import itertools


class Metrics:
    def __init__(self):
        self.counts = {}


METRICS = Metrics()
numbers = itertools.count()


def run():
    for _ in range(20):
        METRICS.counts[f"path /item/{next(numbers)}"] = 1
