"""Rows are written out every seventh run."""

import itertools


class Row:
    def __init__(self, number):
        self.number = number


class Writer:
    def __init__(self):
        self.buffer = []
        self.written = 0

    def flush(self):
        self.written += len(self.buffer)
        self.buffer.clear()


WRITER = Writer()
numbers = itertools.count(1)


def run():
    for number in range(10):
        WRITER.buffer.append(Row(number))
    if next(numbers) % 7 == 0:
        WRITER.flush()
