"""Retained sizes, which follow from dominators, compared node by node with two other engines.

v8_against.py [NODE...]            snapshots of tests/known_v8 by each of these Node programs and by Chromium
v8_against.py --snapshots FILE...  snapshots that exist

Prints a table: how many nodes have the same shallow and the same retained size as in DevTools' front end and
in memlab, and of which types the others are. Why there are others is in docs/explanation/v8.md. The engines
come from npm (tools/v8_engines.py); Chromium is left out where it is not installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from leakscan import load
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import liveness
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import RootKind
from leakscan.heap.v8_graph import SIZES_MOVED
from v8_engines import command, installed

TOOLS = Path(__file__).resolve().parent
KNOWN = TOOLS.parent / "tests" / "known_v8"
Sizes = dict[int, tuple[int, int]]


def sizes_of(engine: str, snapshot: Path, folder: Path) -> Sizes:
    done = subprocess.run(command(engine, "sizes", snapshot, folder), check=True, capture_output=True)
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


def compared(graph: HeapGraph, theirs: Sizes, *, as_devtools: bool) -> tuple[int, int, Counter[str]]:
    """(nodes of the same shallow size, of the same retained size, types of the others)."""
    ids = graph.addresses.tolist()
    # memlab adds up the sizes in the file, DevTools and leakscan move some to owners first.
    own = graph.sizes if as_devtools else np.array([theirs[node][0] for node in ids], np.uint64)
    shallow = sum(theirs[node][0] == size for node, size in zip(ids, own.tolist(), strict=True))
    ours = retained(graph, own, as_devtools=as_devtools)
    others = Counter(graph.type_name(obj) for obj, node in enumerate(ids) if theirs[node][1] != ours[obj])
    return shallow, len(ids) - others.total(), others


def report(title: str, snapshot: Path, folder: Path) -> None:
    graph = load(snapshot)
    cells, notes = [title, str(graph.object_count)], []
    for engine in ("devtools", "memlab"):
        theirs = sizes_of(engine, snapshot, folder)
        shallow, same, others = compared(graph, theirs, as_devtools=engine == "devtools")
        cells += [str(shallow), str(same), str(graph.object_count - same)]
        listed = ", ".join(f"{count} {name}" for name, count in others.most_common(6))
        notes.append(f"  {engine}: {listed or 'no other'}")
    print(f"| {' | '.join(cells)} |", *notes, sep="\n", flush=True)


def snapshots_of(nodes: list[str], directory: Path) -> list[tuple[str, Path]]:
    found = []
    for node in nodes:
        version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
        path = directory / f"{version.strip()}.heapsnapshot"
        subprocess.run([node, KNOWN / "retainers.mjs", path], check=True)
        found.append((f"Node {version.strip()}", path))
    if shutil.which("chromium"):
        path = directory / "chromium.heapsnapshot"
        page = [TOOLS / "chromium_snapshot.mjs", KNOWN / "detached.html", path]
        subprocess.run(["node", "--experimental-websocket", *page], check=True)
        found.append(("Chromium", path))
    return found


def main(arguments: list[str]) -> None:
    folder = installed()
    print("| snapshot | nodes | shallow as DevTools | retained as DevTools | others", end=" ")
    print("| shallow as memlab | retained as memlab | others |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        if arguments[:1] == ["--snapshots"]:
            snapshots = [(name, Path(name)) for name in arguments[1:]]
        else:
            snapshots = snapshots_of(arguments or ["node"], Path(directory))
        for title, snapshot in snapshots:
            report(title, snapshot, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
