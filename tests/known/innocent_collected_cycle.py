"""The same cycle through a type that the collector can look into: garbage, and it goes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "build" / "known"))
import boxes


class Node:
    def __init__(self):
        self.rows = ["row"] * 20
        self.box = boxes.CollectedBox(self)


def run():
    Node()
