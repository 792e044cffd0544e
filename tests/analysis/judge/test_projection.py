"""What lies ahead, from what each run left, with the interval in which one of twenty predictions is wrong."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from leakscan.analysis.judge.projection import by_process, project
from leakscan.analysis.results.findings import Projection
from leakscan.analysis.results.memory import MemoryLedger, MemoryRow, MemoryVerdict


def test_one_run_gives_no_projection_and_two_give_one():
    assert (project([900], [1]), len(project([900, 900], [1, 1]))) == ((), 3)


def test_equal_runs_leave_no_doubt():
    (point,) = project([500] * 4, [2] * 4, horizons=(100,))
    assert point == Projection(100, 50_000, 50_000, 50_000, 200)


def hit_rate(runs: int) -> float:
    """How often the interval from so many normal runs holds what the next hundred leave."""
    draw, hits, times = Random(runs), 0, 2000
    for _ in range(times):
        sizes = [round(draw.gauss(100_000, 10_000)) for _ in range(runs)]
        (point,) = project(sizes, [1] * runs, horizons=(100,))
        hits += point.low_bytes <= draw.gauss(100 * 100_000, 10 * 10_000) <= point.high_bytes
    return hits / times


@pytest.mark.parametrize("runs", [2, 5, 20, 40])
def test_nineteen_of_twenty_intervals_hold_what_comes(runs: int):
    assert hit_rate(runs) == pytest.approx(0.95, abs=0.015)


def test_more_runs_give_a_narrower_interval():
    widths = [
        point.high_bytes - point.low_bytes
        for runs in (2, 4, 8, 16, 32, 64)
        for point in project([90, 110] * (runs // 2), [1] * runs, horizons=(100,))
    ]
    assert all(wider > narrower for wider, narrower in pairwise(widths))


@pytest.mark.parametrize(
    "kind", ["objects", "native", "mappings", "stacks", "shared_memory", "buffers", "malloc"]
)
def test_each_kind_of_memory_that_is_not_given_back_sets_the_pace(kind: str):
    rows = (MemoryRow(kind, 0, 20_000, 1_000.0, True),)
    ledger = MemoryLedger(MemoryVerdict.HEAP, (), 20, 0, 20_000, rows, 0, "glibc", 0, 0, ())
    (point,) = by_process((Projection(100, 1_000, 900, 1_100, 100),), ledger)
    assert (point.bytes, point.basis) == (100_000, "process")
