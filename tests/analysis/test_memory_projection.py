"""What lies ahead is told at the pace of the process where the objects are a small part of it."""

from __future__ import annotations

from dataclasses import replace

from leakscan.analysis.judge.projection import by_process
from leakscan.analysis.results.findings import Projection
from leakscan.analysis.results.memory import MemoryLedger, MemoryRow, MemoryVerdict

TOLD = (Projection(100, 1_000, 900, 1_100, 100), Projection(1_000, 10_000, 9_000, 11_000, 1_000))


def ledger(native_per_run: float, *, goes_on: bool = True) -> MemoryLedger:
    rows = (
        MemoryRow("objects", 0, 200, 10.0, True),
        MemoryRow("native", 0, 20_000, native_per_run, goes_on),
        MemoryRow("glibc_slack", 0, 90_000, 4_500.0, True),
    )
    return MemoryLedger(MemoryVerdict.HEAP, (), 20, 0, 110_200, rows, 0, "glibc", 0, 0, ())


def test_a_process_that_grows_a_hundred_times_as_fast_tells_what_lies_ahead():
    assert [(point.bytes, point.basis) for point in by_process(TOLD, ledger(1_000.0))] == [
        (101_000, "process"),
        (1_010_000, "process"),
    ]


def test_what_does_not_go_on_or_is_only_slack_is_no_pace():
    assert by_process(TOLD, ledger(1_000.0, goes_on=False)) == TOLD


def test_without_a_ledger_the_objects_tell():
    assert by_process(TOLD, None) == TOLD
    assert by_process((replace(TOLD[0]),), ledger(5.0)) == TOLD[:1]
