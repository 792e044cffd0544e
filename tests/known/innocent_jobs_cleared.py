"""Finished jobs are kept for a status page and thrown away every thirteenth run."""

import itertools


class Job:
    def __init__(self, number):
        self.number = number


FINISHED = {}
numbers = itertools.count(1)


def run():
    number = next(numbers)
    FINISHED[number] = Job(number)
    if number % 13 == 0:
        FINISHED.clear()
