"""Compares sizes with those of another engine, node by node.

v8_against.py devtools SNAPSHOT...            needs chromium and Node 22
v8_against.py memlab FOLDER SNAPSHOT...       a folder in which `npm install @memlab/core` was run

Prints, for each snapshot, how many nodes have the same shallow and the same retained size, and of which
types the others are. Why there are others is in docs/explanation/v8.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from leakscan import load
from leakscan.analysis import kernels
from leakscan.analysis.garbage import liveness
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import RootKind
from leakscan.heap.v8_graph import SIZES_MOVED

TOOLS = Path(__file__).resolve().parent
Sizes = dict[int, tuple[int, int]]


def sizes_of(script: str, snapshot: Path, folder: Path) -> Sizes:
    command = ["node", "--max-old-space-size=8192", str(TOOLS / script), str(snapshot.resolve())]
    done = subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return {node: (own, retained) for node, own, retained in json.loads(done.stdout)}


def retained(graph: HeapGraph, sizes: np.ndarray, *, as_devtools: bool) -> list[int]:
    """By dominators. DevTools ignores what the engine's own objects hold of those the page can reach, if
    the root names a page."""
    life = liveness(graph)
    skip, roots = life.weak, life.anchors
    if as_devtools and graph.meta["sizes"] == SIZES_MOVED:
        top = graph.roots.targets[graph.roots.kinds == RootKind.MODULE]
        is_page = kernels.reachable(life.csr, roots=top, skip=skip)
        sources = np.repeat(np.arange(graph.object_count), np.diff(graph.first_ref).astype(np.int64))
        skip = skip | (~is_page[sources] & is_page[graph.ref_targets])
        roots = np.unique(np.concatenate([top, roots[~is_page[roots]]]))
    tree = kernels.dominators(life.csr, roots=roots, skip=skip)
    found: list[int] = tree.retained_sizes(sizes)[: graph.object_count].tolist()
    return found


def compare(snapshot: Path, theirs: Sizes, *, as_devtools: bool) -> None:
    graph = load(snapshot)
    ids = graph.addresses.tolist()
    # memlab adds up the sizes in the file, DevTools and leakscan move some to owners first.
    own = graph.sizes if as_devtools else np.array([theirs[node][0] for node in ids], np.uint64)
    shallow = sum(theirs[node][0] == size for node, size in zip(ids, own.tolist(), strict=True))
    ours = retained(graph, own, as_devtools=as_devtools)
    others = Counter(graph.type_name(obj) for obj, node in enumerate(ids) if theirs[node][1] != ours[obj])
    same = len(ids) - others.total()
    print(f"{snapshot}: {len(ids)} nodes, {shallow} shallow and {same} retained sizes are the same")
    print(f"  others: {dict(others.most_common())}")


def main(engine: str, *arguments: str) -> None:
    is_devtools = engine == "devtools"
    folder = Path() if is_devtools else Path(arguments[0])
    script = "devtools_sizes.mjs" if is_devtools else "memlab_sizes.js"
    for name in arguments if is_devtools else arguments[1:]:
        snapshot = Path(name)
        compare(snapshot, sizes_of(script, snapshot, folder), as_devtools=is_devtools)


if __name__ == "__main__":
    main(*sys.argv[1:])
