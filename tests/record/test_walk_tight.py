"""The walk without a table of the objects finds what the usual one finds, in a fraction of its memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import leakscan
from leakscan import _native
from leakscan.heap.graph import HeapGraph
from walks import Walked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the child is told apart by /proc")

SHOT = textwrap.dedent("""
    import os, sys
    from leakscan import _native
    def shot(path, flags):
        with open(path, "wb") as file:
            child = _native.snapshot_start(file.fileno(), b'{"runtime": "cpython"}', "", flags)
        assert _native.snapshot_wait(child, 300.0) == ("ok", 0)
""")


def taken(path: Path, flags: int) -> Walked:
    with path.open("wb") as file:
        child = _native.snapshot_start(file.fileno(), b'{"runtime": "cpython"}', "", flags)
    assert _native.snapshot_wait(child, 300.0) == ("ok", 0)
    return Walked(leakscan.load(path))


class Node:
    def __init__(self, number: int, next_node: Node | None) -> None:
        self.number, self.next_node, self.name = number, next_node, f"node {number}"
        self.parts = {f"part {number}": (number, [number])}


def chain(length: int) -> Node:
    """Each node refers to the one that was made before it."""
    last = None
    for number in range(length):
        last = Node(number, last)
    assert last is not None
    return last


def test_every_reference_has_the_name_and_the_target_of_the_usual_walk(tmp_path: Path):
    # A wide list beside a chain: more objects than are kept in mind while they are marked.
    things = [chain(500), [[str(number)] for number in range(100_000)]]
    usual, tight = taken(tmp_path / "usual.heap", 0), taken(tmp_path / "tight.heap", _native.SNAPSHOT_TIGHT)
    node = things[0]
    while isinstance(node, Node):
        for thing in (node, node.parts, vars(node).get("parts")):
            assert sorted(usual.references(thing)) == sorted(tight.references(thing))
        node = node.next_node
    for thing in [things[1], *things[1][::50_000]]:
        assert usual.references(thing) == tight.references(thing)
    assert tight.has(things[1][-1]) and tight.size(things[1]) == usual.size(things[1])


def named_roots(heap: HeapGraph) -> set[tuple[str, str]]:
    """All but those that explain a count which nothing else does."""
    roots = {(heap.root_kind(root).name, heap.root_label(root)) for root in range(len(heap.roots.targets))}
    return {(kind, label) for kind, label in roots if kind != "INTERPRETER"}


def test_both_walks_meet_the_same_objects_and_roots(tmp_path: Path):
    program = SHOT + "shot(sys.argv[1], 0)\nshot(sys.argv[2], _native.SNAPSHOT_TIGHT)\n"
    files = [tmp_path / "usual.heap", tmp_path / "tight.heap"]
    subprocess.run([sys.executable, "-c", program, *map(str, files)], check=True)
    usual, tight = map(leakscan.load, files)
    missing = np.setdiff1d(usual.addresses, tight.addresses)
    # Two snapshots of one program differ by the file objects and frames between them.
    assert len(missing) < 60, len(missing)
    assert len(np.setdiff1d(tight.addresses, usual.addresses)) < 60
    assert abs(usual.reference_count - tight.reference_count) < 300
    assert named_roots(usual) == named_roots(tight)
    assert any("memory was short" in warning for warning in tight.warnings)


def test_the_frames_of_waiting_threads_keep_their_locals(tmp_path: Path):
    begun, may_end = threading.Event(), threading.Event()
    kept = []

    def wait() -> None:
        local_thing = Node(1, None)
        kept.append(local_thing)
        begun.set()
        may_end.wait()
        del local_thing

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait()
    try:
        heap = taken(tmp_path / "tight.heap", _native.SNAPSHOT_TIGHT).heap
    finally:
        may_end.set()
        thread.join()
    assert "local_thing" in {heap.label(ref) for ref in range(heap.reference_count)}


def test_the_child_needs_less_than_four_bytes_an_object(tmp_path: Path):
    """Of its own memory, for small objects of 56 bytes each, at the most it ever has."""
    program = SHOT + textwrap.dedent("""
        kept = [(number, None) for number in range(500_000)]
        reader, writer = os.pipe()
        child = _native.snapshot_start(writer, b"{}", "", int(sys.argv[1]))
        os.close(writer)
        most = 0
        while os.read(reader, 1 << 20):
            try:
                lines = open(f"/proc/{child}/smaps_rollup").readlines()
            except OSError:
                break  # it has written all, and has ended
            most = max([most, *(int(l.split()[1]) * 1024 for l in lines if l.startswith("Private_Dirty"))])
        os.close(reader)
        _native.snapshot_wait(child, 60.0)
        assert most
        print(most)
    """)

    def most_bytes(flags: int) -> int:
        words = [sys.executable, "-c", program, str(flags)]
        return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert most_bytes(_native.SNAPSHOT_TIGHT) < 4 * 1_000_000 + (4 << 20)
