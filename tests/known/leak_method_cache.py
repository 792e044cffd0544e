"""A cache without a bound around a method keeps every object it was called on."""

from functools import cache


class Report:
    def __init__(self):
        self.rows = ["row"] * 40

    @cache  # noqa: B019 - the bug
    def total(self):
        return len(self.rows)


def run():
    Report().total()
