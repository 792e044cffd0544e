"""The chart of the run in which each leak began: one row a leak, one cell a run (or several runs)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak
from leakscan.report.names import TypeNames
from leakscan.wording import count_text

_MOST_ROWS: Final = 12
_MOST_CELLS: Final = 60


def began_chart(findings: Findings, names: TypeNames) -> tuple[str, str]:
    """The chart as a list, and a sentence about what it leaves out; both "" when no leak has births.

    The leaks that began first stand first; the first cell with births has a colour of its own.
    """
    dated = sorted((leak for leak in findings.leaks if any(leak.births)), key=_first)
    rows = [_row(leak, names, findings.unit) for leak in dated[:_MOST_ROWS]]
    chart = f'<ol class="began">{"".join(rows)}</ol>' if rows else ""
    return chart, _left_out(dated[_MOST_ROWS:], findings.unit)


def _row(leak: Leak, names: TypeNames, unit: str) -> str:
    runs = len(leak.births)
    size = -(-runs // min(runs, _MOST_CELLS))
    sums = [sum(leak.births[start : start + size]) for start in range(0, runs, size)]
    first = (_first(leak) - 1) // size
    cells = []
    for number, total in enumerate(sums):
        kind = "none" if not total else "first" if number == first else "birth"
        height = 12 if total else 3
        cells.append(
            f'<rect class="{kind}" x="{number * 10}" y="{12 - height}" width="9" height="{height}"/>'
        )
    what = escape(f"{count_text(leak.count)} {names.leak(leak)}")
    drawn = f'<svg viewBox="0 0 {10 * len(sums)} 12" preserveAspectRatio="none" aria-hidden="true">'
    return (
        f'<li><span class="what">{what}</span>{drawn}{"".join(cells)}</svg>'
        f'<span class="soft">from {unit} {_first(leak)}</span></li>'
    )


def _first(leak: Leak) -> int:
    return next(run for run, count in enumerate(leak.births, 1) if count)


def _left_out(leaks: Sequence[Leak], unit: str) -> str:
    if not leaks:
        return ""
    by_run = sorted(Counter(map(_first, leaks)).items())
    told = ", ".join(f"{count_text(count)} in {unit} {run}" for run, count in by_run[:8])
    rest = f" and {len(by_run) - 8} other {unit}s" if len(by_run) > 8 else ""
    return f"{count_text(len(leaks))} more leaks began: {told}{rest}."
