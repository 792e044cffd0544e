"""A scratch dict and a buffer are filled and emptied by every run; they keep the room of the biggest run."""

import itertools

SIZES = itertools.cycle([100, 700, 300, 2000, 500])
SCRATCH = {}
BUFFER = bytearray()


def run():
    size = next(SIZES)
    for number in range(size):
        SCRATCH[number] = None
    for number in range(size):
        SCRATCH.pop(number)
    if len(BUFFER) < size:
        BUFFER.extend(bytes(size - len(BUFFER)))
