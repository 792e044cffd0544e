"""What more runs would retain, at the rate that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

from leakscan.analysis.results.findings import Projection
from leakscan.analysis.results.memory import MemoryLedger

HORIZONS: Final = (100, 1_000, 10_000)
# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom; the normal law's beyond.
_T95: Final = (
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
    2.12, 2.11, 2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04,
)  # fmt: skip
_NORMAL95: Final = 1.96


def project(
    bytes_per_run: Sequence[int],
    objects_per_run: Sequence[int],
    *,
    horizons: Sequence[int] = HORIZONS,
    counted: Sequence[int] = (),
) -> tuple[Projection, ...]:
    """Retained bytes after each number of runs, with the 95 % interval of a prediction.

    The figures are what is alive of each run, from the first run of the leak on. Each run is taken as
    a draw of its own, so the interval has two parts: the mean is not known exactly, and the future runs
    vary as the past ones did. With one run there is no interval, and no projection. Where each run left
    more than the one before it, the sum of a straight line is projected, which grows with the square:
    unless `counted`, the bytes of all objects after each run, grew straight on, as where the old ones go.
    """
    runs = len(bytes_per_run)
    if runs < 2:
        return ()
    if _is_bent(bytes_per_run, objects_per_run) and _speeds_up(counted, bytes_per_run):
        return _bent(bytes_per_run, objects_per_run, horizons)
    mean = sum(bytes_per_run) / runs
    variance = sum((size - mean) ** 2 for size in bytes_per_run) / (runs - 1)
    t = _T95[runs - 2] if runs - 2 < len(_T95) else _NORMAL95
    objects = sum(objects_per_run)
    return tuple(
        Projection(
            runs=horizon,
            bytes=round(mean * horizon),
            low_bytes=max(0, round(mean * horizon - t * sqrt(variance * (horizon + horizon**2 / runs)))),
            high_bytes=round(mean * horizon + t * sqrt(variance * (horizon + horizon**2 / runs))),
            objects=round(objects * horizon / runs),
        )
        for horizon in horizons
    )


def _is_bent(bytes_per_run: Sequence[int], objects_per_run: Sequence[int]) -> bool:
    """Whether each run left more than the one before it: by its objects, or by what they weigh alone."""
    if len(bytes_per_run) < _ENOUGH_FOR_A_BEND:
        return False
    sizes, objects = _unexplained(bytes_per_run), _unexplained(objects_per_run)
    return sizes <= _UNEXPLAINED or (objects <= _UNEXPLAINED / 4 and sizes <= 4 * _UNEXPLAINED)


def _unexplained(per_run: Sequence[int]) -> float:
    """The part of what tells the runs apart that a rising straight line leaves over; 1 when none rises."""
    base, slope = _line(per_run)
    mean = sum(per_run) / len(per_run)
    if slope <= 0:
        return 1.0
    return _left_over(per_run, base, slope) / sum((each - mean) ** 2 for each in per_run)


def _left_over(per_run: Sequence[int], base: float, slope: float) -> float:
    return sum((each - base - slope * run) ** 2 for run, each in enumerate(per_run, 1))


def _speeds_up(counted: Sequence[int], bytes_per_run: Sequence[int]) -> bool:
    """Whether what there was grew faster in the second half, by half of what the runs left more then."""
    runs, half = len(bytes_per_run), len(bytes_per_run) // 2
    if len(counted) <= runs:
        return True
    last = counted[-runs - 1 :]
    faster = (last[-1] - last[-1 - half]) - (last[half] - last[0])
    return faster >= (sum(bytes_per_run[-half:]) - sum(bytes_per_run[:half])) / 2


def _bent(
    bytes_per_run: Sequence[int], objects_per_run: Sequence[int], horizons: Sequence[int]
) -> tuple[Projection, ...]:
    """The sums of the straight line that is nearest to what the runs left, with the interval of its sum."""
    runs = len(bytes_per_run)
    base, slope = _line(bytes_per_run)
    counted, middle = _line(objects_per_run), (runs + 1) / 2
    variance = _left_over(bytes_per_run, base, slope) / (runs - 2)
    spread = sum((run - middle) ** 2 for run in range(1, runs + 1))
    t = _T95[runs - 3] if runs - 3 < len(_T95) else _NORMAL95
    found = []
    for horizon in horizons:
        later = horizon * ((horizon + 1) / 2 - middle)
        doubt = t * sqrt(variance * (horizon + horizon**2 / runs + later**2 / spread))
        size = _sum_of(base, slope, horizon)
        found.append(
            Projection(
                runs=horizon,
                bytes=round(size),
                low_bytes=max(0, round(size - doubt)),
                high_bytes=round(size + doubt),
                objects=max(0, round(_sum_of(*counted, horizon))),
                basis="faster",
            )
        )
    return tuple(found)


def _line(per_run: Sequence[int]) -> tuple[float, float]:
    """Height before run 1 and slope of the straight line that is nearest to what runs 1, 2, ... left."""
    runs = len(per_run)
    middle, mean = (runs + 1) / 2, sum(per_run) / runs
    moment = sum((run - middle) * (left - mean) for run, left in enumerate(per_run, 1))
    slope = moment / sum((run - middle) ** 2 for run in range(1, runs + 1))
    return mean - slope * middle, slope


def _sum_of(base: float, slope: float, runs: int) -> float:
    return base * runs + slope * runs * (runs + 1) / 2


_ENOUGH_FOR_A_BEND: Final = 8
_UNEXPLAINED: Final = 0.1
"""Of what tells the runs apart, what a straight line may leave over; a single step leaves a quarter."""
_KEPT: Final = ("objects", "native", "mappings", "stacks", "shared_memory", "buffers", "malloc")
"""Rows of the ledger that are not given back by themselves."""
_CONTRADICTED: Final = 2.0
"""The process has to grow this many times as fast for the objects not to tell what lies ahead."""


def by_process(told: tuple[Projection, ...], memory: MemoryLedger | None) -> tuple[Projection, ...]:
    """The projections, at the pace of the process where that is much faster than what the objects weigh.

    A client keeps a TLS context outside of the heap, compiled code its tables: what the objects weigh is then
    a small part of what will be missing.
    """
    if not told or memory is None:
        return told
    pace = sum(row.per_run for row in memory.rows if row.goes_on and row.kind in _KEPT)
    if pace * told[-1].runs < _CONTRADICTED * told[-1].bytes:
        return told
    return tuple(
        replace(point, bytes=size, low_bytes=size, high_bytes=size, basis="process")
        for point in told
        for size in (round(pace * point.runs),)
    )
