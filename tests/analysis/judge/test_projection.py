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


def test_runs_that_leave_more_and_more_are_no_straight_line():
    """Each run keeps a copy of the history so far: 1, 2, ... 20 messages."""
    points = project([100 * run for run in range(1, 21)], list(range(1, 21)), horizons=(100, 1_000))
    assert [(point.bytes, point.objects, point.basis) for point in points] == [
        (505_000, 5_050, "faster"),
        (50_050_000, 500_500, "faster"),
    ]


def test_eight_runs_show_a_bend():
    rising = [100 * run for run in range(1, 9)]
    assert project(rising, rising)[0].basis == "faster"


def test_a_bend_has_an_interval_that_holds_what_comes():
    draw, hits = Random(7), 0
    for _ in range(500):
        sizes = [round(1_000 * run + draw.gauss(0, 500)) for run in range(1, 21)]
        (point,) = project(sizes, [1] * 20, horizons=(100,))
        hits += point.basis == "faster" and point.low_bytes <= 1_000 * 5_050 <= point.high_bytes
    assert hits / 500 > 0.93


def test_objects_that_are_one_more_each_time_are_a_bend_though_some_weigh_less():
    sizes = [1563, 1651, 1547, 1315, 1227, 1363, 1451, 1533, 1621, 1693, 1781, 1853, 1925, 2077, 2149, 2237]
    assert project(sizes, list(range(7, 23)))[-1].basis == "faster"
    assert project(sizes, [7] * 16)[-1].basis == "objects"


def test_a_backlog_whose_old_ones_go_grows_straight_on():
    """More is left of the last runs, for what the first ones left is gone in part."""
    left = [100 * run for run in range(1, 21)]
    steady, faster = [1_000 * run for run in range(21)], [50 * run * (run + 1) for run in range(21)]
    assert [project(left, left, counted=counted)[0].basis for counted in (steady, faster)] == [
        "objects",
        "faster",
    ]


@pytest.mark.parametrize(
    "sizes",
    [
        [100] * 10 + [180] * 10,  # a step
        [100] * 19 + [4_000],  # a table that was made larger
        [100 * run for run in range(1, 8)],  # seven runs show no bend
        [20 - run for run in range(20)],  # slower: a bound may be near, which is not said here
        [90, 110] * 10,
    ],
)
def test_a_step_a_table_and_a_few_runs_are_no_bend(sizes: list[int]):
    assert {point.basis for point in project(sizes, [1] * len(sizes))} == {"objects"}


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
