"""What filled the memory of a process that came to its limit is named, whatever its births say."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.results.findings import Findings, RunFigures, Verdict

MB = 1_000_000
BEFORE = """
    module app -> m; m -[.__dict__]-> ns; ns -['HELD']-> held; ns -['LOG']-> log
    m: module name=app; ns: dict; held: dict; log: list
"""
BURST = "\n".join(
    f"held -['key {number}']-> b{number}; b{number}: bytearray size={MB} birth=6" for number in range(22)
)
LEAK = "\n".join(
    f"log -[{number}]-> s{number}; s{number}: app.Session size=100 birth={number}" for number in range(1, 7)
)


def told(*after: str, grown: int = 25 * MB, ended_at_limit: bool = True) -> Findings:
    figures = tuple(RunFigures(run, 0, 0, rss) for run, rss in ((0, 20 * MB), (6, 20 * MB + grown)))
    meta = {"births": True}
    return diff(
        heap(BEFORE, meta=meta),
        heap("\n".join((BEFORE, *after)), meta=meta),
        runs=6,
        unit="interval",
        mode="attach",
        target="process 7",
        measured=Measured(per_run=figures, ended_at_limit=ended_at_limit),
    )


def test_a_burst_that_filled_the_memory_is_named_and_what_would_decide_it():
    findings = told(BURST)
    assert findings.verdict is Verdict.INCONCLUSIVE
    first = findings.leaks[0]
    assert first.holder is not None and first.holder.label == "app.HELD"
    assert first.filled_bytes == 22 * MB
    assert first.cut is not None
    assert findings.headline.startswith(
        "INCONCLUSIVE  22 bytearray survive 6 intervals, held by app.HELD: this is what filled the memory, "
        "22.0 MB of 25.0 MB; only what the last interval made is alive"
    )
    assert findings.next_command.startswith("leakscan guard again")


def test_the_same_burst_is_none_where_no_limit_was_near():
    assert told(BURST, ended_at_limit=False).verdict is Verdict.BOUNDED


def test_what_holds_little_of_what_came_did_not_fill_the_memory():
    assert told(BURST, grown=200 * MB).verdict is Verdict.BOUNDED


def test_a_small_leak_does_not_hide_what_filled_the_memory():
    findings = told(BURST, LEAK)
    assert findings.verdict is Verdict.LEAK
    assert "But 22 bytearray filled the memory (22.0 MB), held by app.HELD." in findings.headline


@pytest.mark.parametrize("ended_at_limit", [True, False])
def test_a_leak_that_filled_the_memory_stays_a_leak(ended_at_limit: bool):
    leak = LEAK.replace("size=100", f"size={4 * MB}")
    findings = told(leak, ended_at_limit=ended_at_limit)
    assert (findings.verdict, findings.leaks[0].evidence) == (Verdict.LEAK, "1 per interval, every interval")
