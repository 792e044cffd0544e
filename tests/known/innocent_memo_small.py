"""A memo with twelve keys, asked for one after the other."""

import itertools


class Plan:
    def __init__(self, key):
        self.key = key


PLANS = {}
keys = itertools.cycle(range(12))


def run():
    key = next(keys)
    if key not in PLANS:
        PLANS[key] = Plan(key)
