"""A cycle through an extension type that takes no part in garbage collection: nobody can ever free it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "build" / "known"))
import boxes


class Node:
    def __init__(self):
        self.rows = ["row"] * 20
        self.box = boxes.OpaqueBox(self)


def run():
    Node()
