"""The walk counts what objgraph and guppy3 count, in one process at one moment."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("guppy", reason="guppy3 has no wheel for this Python", exc_type=ImportError)

PROGRAM = """
import gc, json, sys
import numpy as np
import objgraph
from guppy import hpy
import leakscan
from leakscan.heap.kinds import ObjectFlag

class Line:
    def __init__(self, n):
        self.sku = f"sku-{n}"
        self.tags = [n, (n, str(n)), {n: n}]

class Slotted:
    __slots__ = ("a", "b")
    def __init__(self):
        self.a, self.b = object(), 3.5

KEPT = [Line(n) for n in range(2000)] + [Slotted() for _ in range(1000)]
path = sys.argv[1]
leakscan.snapshot(path)
leakscan.load(path)
guppy = hpy()
gc.collect()
leakscan.snapshot(path)
objgraph_counts = objgraph.typestats(shortnames=False)
heap = guppy.heap()
graph = leakscan.load(path)
tracked = (graph.flags & ObjectFlag.TRACKED) != 0
rows = np.bincount(graph.type_ids[tracked], minlength=len(graph.types)).tolist()
counts = {}
for name, count in zip(graph.type_names, rows):
    counts[name] = counts.get(name, 0) + count
print(json.dumps({
    "leakscan": {name: count for name, count in counts.items() if count},
    "objgraph": {name.removeprefix("builtins."): count for name, count in objgraph_counts.items()},
    "bytes": int(graph.sizes.sum()),
    "guppy_bytes": heap.size,
    "slotted_bytes": int(graph.sizes[graph.type_ids == graph.type_names.index("__main__.Slotted")].sum()),
    "guppy_slotted_bytes": (heap & Slotted).size,
}))
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    path = tmp_path_factory.mktemp("agrees") / "x.heap"
    result = subprocess.run([sys.executable, "-c", PROGRAM, path], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def test_tracked_objects_are_counted_by_type_as_objgraph_counts_them(counted):
    ours, theirs = counted["leakscan"], counted["objgraph"]
    # objgraph's own list and loop variables come and go while it counts; classes that ctypes makes in
    # functions have another name there.
    differing = {
        name: (ours.get(name, 0), theirs.get(name, 0))
        for name in ours.keys() | theirs.keys()
        if abs(ours.get(name, 0) - theirs.get(name, 0)) > 2 and not name.startswith("ctypes.")
    }
    assert differing == {}


def test_bytes_agree_with_guppy(counted):
    assert counted["slotted_bytes"] == counted["guppy_slotted_bytes"]
    # guppy leaves itself out of its heap, and gives every instance a dict that was not there.
    assert counted["bytes"] == pytest.approx(counted["guppy_bytes"], rel=0.08)
