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
) -> tuple[Projection, ...]:
    """Retained bytes after each number of runs, with the 95 % interval of a prediction.

    The figures are what is alive of each run, from the first run of the leak on. Each run is taken as
    a draw of its own, so the interval has two parts: the mean is not known exactly, and the future runs
    vary as the past ones did. With one run there is no interval, and no projection.
    """
    runs = len(bytes_per_run)
    if runs < 2:
        return ()
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
