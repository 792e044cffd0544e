"""Each run makes cycles that only the collector frees."""


class Node:
    def __init__(self):
        self.me = self
        self.text = "x" * 50


def run():
    for _ in range(500):
        Node()
