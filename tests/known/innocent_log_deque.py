"""The last five hundred log records are kept."""

from collections import deque


class Record:
    def __init__(self, text):
        self.text = text


LOG = deque(maxlen=500)


def run():
    for number in range(10):
        LOG.append(Record(f"line {number}"))
