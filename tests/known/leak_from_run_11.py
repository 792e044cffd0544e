"""The fourteenth call (run 11) finds a full disk; from then on every report is kept for a retry."""

import itertools


class Report:
    def __init__(self, number):
        self.number = number


RETRY = []
numbers = itertools.count(1)


def run():
    report = Report(next(numbers))
    if report.number > 13:
        RETRY.append(report)
