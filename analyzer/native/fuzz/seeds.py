"""Writes small valid files of every shape into a folder, for the fuzzers to start from."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "heap"))

from test_v8 import block, workflow

from heaps import heap
from leakscan.heap.writer import write
from v8_files import Drawing, written

DRAWINGS = {
    "empty": "",
    "diamond": "root -> a; a -> b, c; b -> d; c -> d",
    "labels": """
        module m -> a; a -[3]-> b; a -['k']-> b; a -[~]-> b =[local x]=> a
        b: m.T name=n at=f.py:1 bound=2
    """,
}


def main(folder: Path) -> None:
    for part in ("snapshot", "v8"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, drawing in DRAWINGS.items():
        write(heap(drawing), folder / "snapshot" / f"{name}.heap")
        write(heap(drawing), folder / "snapshot" / f"{name}-packed.heap", compress=True)
    (folder / "v8" / "small.heapsnapshot").write_bytes(written(Drawing().content()))
    (folder / "v8" / "workflow.heapsnapshot").write_bytes(written(workflow().content()))
    scope = block(names=["a", "b", "c"], filled=2)
    (folder / "v8" / "block.heapsnapshot").write_bytes(written(scope.content()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
