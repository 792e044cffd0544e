"""Births of a process that is attached to again and again are counted from the earlier snapshot."""

from __future__ import annotations

from heaps import heap
from leakscan.analysis.births.baseline import since
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, BIRTH_OWN, BIRTH_UNKNOWN

LATER = "old: A birth=2; new: A birth=5; own: A birth=own"


def dated(before: HeapGraph, **options: str) -> list[int]:
    return since(before, heap(LATER, **options)).births.tolist()


def test_what_was_born_before_the_earlier_one_is_its_baseline():
    before = heap("old: A birth=2", meta={"run": 3})
    assert dated(before) == [BIRTH_BASELINE, 2, BIRTH_OWN]


def test_a_baseline_without_runs_changes_nothing():
    assert dated(heap("old: A birth=2")) == [2, 5, BIRTH_OWN]


def test_births_that_began_between_the_two_tell_nothing():
    found = since(heap("old: A"), heap(LATER))
    assert (set(found.births.tolist()), found.has_births) == ({BIRTH_UNKNOWN}, False)


def test_other_runtimes_count_for_themselves():
    assert dated(heap("old: A birth=1", runtime="v8", meta={"run": 3}), runtime="v8") == [2, 5, BIRTH_OWN]
