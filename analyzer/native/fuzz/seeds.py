"""Writes small valid files of every shape into a folder, for the fuzzers to start from."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))

from heaps import heap
from leakscan.heap.writer import write

DRAWINGS = {
    "empty": "",
    "diamond": "root -> a; a -> b, c; b -> d; c -> d",
    "labels": "module m -> a; a -[3]-> b; a -['k']-> b; a -[~]-> b =[local x]=> a; b: m.T name=n at=f.py:1 bound=2",
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in DRAWINGS.items():
        write(heap(drawing), folder / f"{name}.heap")
        write(heap(drawing), folder / f"{name}-packed.heap", compress=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
