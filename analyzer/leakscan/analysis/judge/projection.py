"""What more runs would retain, at the rate that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from leakscan.analysis.results.findings import Projection

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
