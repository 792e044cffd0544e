"""A connection pool that grows with the demand of the first runs and is then reused."""

import itertools


class Connection:
    def __init__(self):
        self.buffer = bytearray(500)


class Pool:
    def __init__(self):
        self.free = []

    def take(self):
        return self.free.pop() if self.free else Connection()

    def give_back(self, connection):
        self.free.append(connection)


POOL = Pool()
DEMAND = itertools.chain([1, 1, 2, 3, 4, 5], itertools.cycle([5, 3, 1]))


def run():
    taken = [POOL.take() for _ in range(next(DEMAND))]
    for connection in taken:
        POOL.give_back(connection)
