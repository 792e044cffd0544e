"""What the counts of a capture say when its last snapshot is missing: what grew, not why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leakscan.analysis.diff import Measured
from leakscan.analysis.results.findings import Findings, Growth, Verdict
from leakscan.wording import count_text, rate_text, size_text

_LEAST_PER_RUN: Final = 0.5
"""What grows by less than one in two runs is not worth a place in the headline."""


def findings_from_counts(
    measured: Measured,
    type_bytes: Mapping[str, tuple[int, int]],
    *,
    runs: int,
    warmup: int,
    mode: str,
    target: str,
    runtime: str,
    why: str = "no snapshot after the runs",
    unit: str = "run",
) -> Findings:
    """Inconclusive findings with the growth by type, without survivors, paths or births.

    `type_bytes` are (before, after) of each type; `runs` is the number of runs (or what `unit`
    says) that were counted, `why` the reason that counts are all there is.
    """
    growth = tuple(_growth(measured, type_bytes, runs))
    return Findings(
        verdict=Verdict.INCONCLUSIVE,
        headline=_headline(measured, growth, runs, why, unit),
        identity="counts alone",
        runs=runs,
        warmup=warmup,
        mode=mode,
        target=target,
        runtime=runtime,
        growth=growth,
        leaks=(),
        noise=(),
        cut=None,
        cycles=(),
        projections=(),
        per_run=measured.per_run,
        survivor_count=0,
        survivor_bytes=0,
        garbage_count=measured.collected,
        garbage_bytes=0,
        garbage_bytes_per_run=measured.collected_bytes,
        memory=measured.memory,
        warnings=measured.warnings,
        omitted=("paths, holders and cuts: they need the snapshot after the runs",)
        if unit == "run"
        else ("paths, holders and cuts: they need snapshots of one process that number alike",),
        unit=unit,
    )


def _growth(measured: Measured, type_bytes: Mapping[str, tuple[int, int]], runs: int) -> list[Growth]:
    rows = []
    for name, counts in measured.type_counts.items():
        known = [count for count in counts if count is not None]
        if len(known) < 2 or known[-1] == known[0]:
            continue
        before, after = type_bytes.get(name, (0, 0))
        rate = (known[-1] - known[0]) / max(runs, 1)
        verdict = Verdict.INCONCLUSIVE if known[-1] > known[0] else Verdict.CLEAN
        rows.append(Growth(name, known[0], known[-1], before, after, (), rate, None, verdict))
    return sorted(rows, key=lambda row: (row.bytes_before - row.bytes_after, -row.delta, row.type_name))


def _headline(measured: Measured, growth: tuple[Growth, ...], runs: int, why: str, unit: str) -> str:
    text = f"INCONCLUSIVE  {why}"
    if unit == "run":
        text += f"; {count_text(runs)} runs were counted"
    if len(measured.per_run) > 1:
        grown = measured.per_run[-1].object_bytes - measured.per_run[0].object_bytes
        text += f", objects {'grew' if grown >= 0 else 'shrank'} by {size_text(abs(grown))}"
    most = next(
        (row for row in growth if row.per_run >= _LEAST_PER_RUN and ("." in row.type_name or unit != "run")),
        None,
    )
    if most is not None:
        name = most.type_name.rpartition(".")[2]
        text += f", {count_text(most.delta)} more {name} ({rate_text(round(most.per_run, 2))} per {unit})"
    return f"{text}."
