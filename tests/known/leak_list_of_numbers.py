"""A list of small numbers that every run lengthens: no new object, one that swells."""

LATENCIES = []


def run():
    LATENCIES.extend([1, 2, 3, 4] * 50)
