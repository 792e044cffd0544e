"""A queue that gets four jobs in every run and loses two: always full of young ones, and ever longer."""

import queue


class Job:
    def __init__(self):
        self.payload = bytearray(100)


JOBS = queue.Queue()


def run():
    for _ in range(4):
        JOBS.put(Job())
    for _ in range(2):
        JOBS.get()
