"""A walk that is told to hurry ends where it is, and says that something is missing."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import leakscan
from heaps import heap
from leakscan import _native
from leakscan.analysis.diff import diff
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.findings import Verdict
from leakscan.heap.kinds import ObjectFlag
from leakscan.heap.writer import write
from walks import Walked

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the child is a process of its own")


class Session:
    def __init__(self, number: int) -> None:
        self.parts = [[number]]


HELD: dict[int, Session] = {}


def hurried(path: Path) -> Walked:
    """A snapshot whose child is told to hurry while it waits for its reader, who has not read yet."""
    reader, writer = os.pipe()
    child = _native.snapshot_start(writer, b'{"runtime": "cpython"}', "", 0)
    os.close(writer)
    first = os.read(reader, 1)  # it has begun, and a pipe holds less than the strings of any program
    os.kill(child, signal.SIGPROF)
    with path.open("wb") as file:
        file.write(first)
        while block := os.read(reader, 1 << 16):
            file.write(block)
    os.close(reader)
    assert _native.snapshot_wait(child, 300.0) == ("ok", 0)
    return Walked(leakscan.load(path))


@on_linux
def test_what_was_met_is_there_and_what_it_leads_to_is_not(tmp_path: Path):
    HELD.update((number, Session(number)) for number in range(20_000))
    try:
        walked = hurried(tmp_path / "x.heap")
    finally:
        HELD.clear()
    graph = walked.heap
    assert graph.is_shallow
    assert any("missing" in warning for warning in graph.warnings)
    cut_off = (graph.flags & np.uint8(ObjectFlag.UNREADABLE)) != 0
    assert cut_off.any()
    assert int(np.diff(graph.first_ref)[cut_off].max()) <= 1  # its type


def test_a_shallow_snapshot_is_one_when_it_was_copied(tmp_path: Path):
    write(replace(heap("root -> a"), is_shallow=True), tmp_path / "x.heap", compress=True)
    assert leakscan.load(tmp_path / "x.heap").is_shallow
    write(heap("root -> a"), tmp_path / "y.heap")
    assert not leakscan.load(tmp_path / "y.heap").is_shallow


def test_nothing_of_a_shallow_snapshot_is_held_from_c_or_garbage():
    graph = heap("root -> a")
    graph = replace(graph, refcounts=graph.refcounts + np.uint32(3))
    assert liveness(graph).is_held_from_c.any()
    assert not liveness(replace(graph, is_shallow=True)).is_held_from_c.any()


def test_a_shallow_snapshot_acquits_nobody():
    before, after = heap("root -> a"), heap("root -> a")
    assert diff(before, after, runs=6).verdict is Verdict.CLEAN
    assert diff(before, replace(after, is_shallow=True), runs=6).verdict is Verdict.INCONCLUSIVE
