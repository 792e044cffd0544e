"""Bare snapshots of one process: what their order and number can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from heaps import heap
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.series import series
from leakscan.errors import UsageError
from leakscan.heap.graph import HeapGraph


def snapshot(sessions: int, runtime: str = "v8", address: int = 1001, **meta: object) -> HeapGraph:
    """A list with so many sessions; V8 counts ids of nodes up in odd numbers."""
    held = "; ".join(
        f"a -[{at}]-> s{at}; s{at}: Session addr={hex(address + 2 * at)}" for at in range(sessions)
    )
    root = "root -> App -[.sessions]-> a; App: App addr=0x3; a: Array addr=0x5"
    return heap(f"{root}; {held}", runtime=runtime, meta={"last_id": address + 2 * sessions - 2, **meta})


def taken(*sessions: int) -> Sequence[HeapGraph]:
    return [snapshot(count) for count in sessions]


def test_what_each_interval_left_is_told_of_three_or_more():
    (leak,) = series(taken(0, 10, 20, 30, 40, 50, 60)).leaks
    assert (leak.type_name, leak.count) == ("Session", 60)


def test_one_snapshot_is_no_series():
    with pytest.raises(UsageError, match="two or more"):
        series(taken(5))


def test_three_snapshots_of_cpython_date_nothing():
    with pytest.raises(UsageError, match="only snapshots of V8"):
        series([snapshot(count, runtime="cpython") for count in (1, 2, 3)])


def test_snapshots_in_the_wrong_order_are_an_error():
    with pytest.raises(UsageError, match="not in the order"):
        series(taken(0, 20, 10))


def test_another_process_has_counts_only():
    other = heap("root -> x; x: Other addr=0x3; x -[.a]-> y; y: Thing addr=0x5", runtime="v8")
    assert "not the same in all snapshots" in str(series([snapshot(10), other]))


def test_two_snapshots_that_do_not_decide_ask_for_a_third():
    first = replace(snapshot(0), path="a.heapsnapshot")
    findings = series([first, replace(snapshot(2), path="b.heapsnapshot")])
    assert findings.verdict is Verdict.INCONCLUSIVE
    assert findings.next_command == "leakscan diff a.heapsnapshot b.heapsnapshot THIRD --runs N"
