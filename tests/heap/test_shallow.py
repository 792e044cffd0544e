"""A shallow look keeps the old heap and the entries of what grew, and says that the rest is missing."""

from __future__ import annotations

import numpy as np

from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.heap.kinds import ObjectFlag
from leakscan.heap.shallow import shallow

BEFORE = heap("module app -> app -[.HELD]-> held; app: module birth=0; held: dict birth=0")


def grown():
    lines = ["module app -> app -[.HELD]-> held; app: module birth=0; held: dict birth=0"]
    for number in range(12):
        birth = 1 + number // 2
        lines.append(f"held -['k{number}']-> job{number} -[.parts]-> parts{number} -[0]-> leaf{number}")
        lines.append(f"job{number}: app.Job birth={birth}; parts{number}: list birth={birth}")
        lines.append(f"leaf{number}: app.Leaf birth={birth}")
    return heap("\n".join(lines))


def test_the_entries_of_what_grew_stay_and_what_is_behind_them_goes():
    graph = grown()
    cut = shallow(graph)
    names = [cut.type_names[row] for row in cut.type_ids]
    assert (names.count("app.Job"), names.count("list"), names.count("app.Leaf")) == (12, 0, 0)
    assert cut.object_count == graph.object_count - 24
    is_cut = (cut.flags & np.uint8(ObjectFlag.UNREADABLE)) != 0
    assert sorted({names[each] for each in np.flatnonzero(is_cut)}) == ["app.Job"]
    assert cut.is_shallow


def test_the_same_holder_is_found_with_the_same_counts():
    whole, cut = (diff(BEFORE, each, runs=6).leaks[0] for each in (grown(), shallow(grown())))
    assert (cut.type_name, cut.count, cut.births, cut.holder) == (
        whole.type_name, whole.count, whole.births, whole.holder,
    )  # fmt: skip


def test_what_a_root_refers_to_stays():
    graph = heap("root -> a -[0]-> b -[0]-> c; a: list birth=2; b: app.B birth=2; c: app.C birth=2")
    cut = shallow(graph)
    assert sorted(cut.type_names[row] for row in cut.type_ids) == ["app.B", "list"]


def test_without_births_nothing_is_left_out():
    graph = heap("root -> a -> b")
    assert shallow(graph) is graph
