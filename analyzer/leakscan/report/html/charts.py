"""Small charts as inline SVG: no styles of their own (a strict CSP forbids them), classes instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

_WIDTH: Final = 460
_HEIGHT: Final = 214
_LEFT: Final = 62
_RIGHT: Final = 64
_TOP: Final = 30
_BOTTOM: Final = 34
_TICKS: Final = 4
_BAR: Final = 6
_BAR_HEIGHT: Final = 20
_MOST_BARS: Final = 40


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; `number` (0, 1) picks its colour and its dashes, so that it needs no colour."""

    name: str
    values: Sequence[float]
    number: int


def line_chart(
    title: str,
    runs: Sequence[int],
    series: Sequence[Series],
    *,
    unit: Callable[[float], str],
    axis: str = "run",
) -> str:
    """Values over the runs, from zero, each line named at its end. "" with fewer than two runs."""
    if len(runs) < 2:
        return ""
    highest = max((max(line.values) for line in series), default=0.0)
    step = _nice_step(highest / _TICKS)
    top = max(step * ceil(highest / step), step)
    across, down = _scale(runs[0], runs[-1], _LEFT, _WIDTH - _RIGHT), _scale(0, top, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f'<text class="heading" x="4" y="12">{escape(title)}</text>',
    ]
    for tick in range(round(top / step) + 1):
        value = tick * step
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down(value)}" y2="{down(value)}"/>'
            f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{down(value)}" dy="4">'
            f"{escape(unit(value))}</text>"
        )
    for run in _run_ticks(runs):
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{across(run)}" y="{_HEIGHT - _BOTTOM + 16}">'
            f"{run}</text>"
        )
    middle = (_LEFT + _WIDTH - _RIGHT) // 2
    parts.append(f'<text class="tick" text-anchor="middle" x="{middle}" y="{_HEIGHT - 4}">{axis}</text>')
    for line in series:
        points = " ".join(
            f"{across(run)},{down(value)}" for run, value in zip(runs, line.values, strict=True)
        )
        parts.append(f'<polyline class="line line-{line.number}" points="{points}"/>')
    for line, y in _label_places(series, down):
        parts.append(
            f'<text class="label label-{line.number}" x="{_WIDTH - _RIGHT + 6}" y="{y}" dy="4">'
            f"{escape(line.name)}</text>"
        )
    return "".join([*parts, "</svg>"])


def births_bars(births: Sequence[int], *, label: str) -> str:
    """One bar for each run (or several runs, when there are many), as high as its births."""
    size = max(1, -(-len(births) // _MOST_BARS))
    sums = [sum(births[start : start + size]) for start in range(0, len(births), size)]
    highest = max(sums, default=0) or 1
    width = max(len(sums) * _BAR, _BAR)
    parts = [
        f'<svg class="bars" width="{width}" height="{_BAR_HEIGHT}" viewBox="0 0 {width} {_BAR_HEIGHT}"'
        f' role="img" aria-label="{escape(label)}">'
    ]
    for number, total in enumerate(sums):
        height = max(2, round((_BAR_HEIGHT - 1) * total / highest)) if total else 1
        kind = "bar" if total else "bar none"
        parts.append(
            f'<rect class="{kind}" x="{number * _BAR}" y="{_BAR_HEIGHT - height}" width="{_BAR - 1}"'
            f' height="{height}"/>'
        )
    return "".join([*parts, "</svg>"])


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], str]:
    span = (high - low) or 1
    return lambda value: f"{start + (end - start) * (value - low) / span:.1f}".removesuffix(".0")


def _nice_step(raw: float) -> float:
    if raw <= 0:
        return 1.0
    magnitude: float = 10.0 ** floor(log10(raw))
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)


def _run_ticks(runs: Sequence[int]) -> list[int]:
    every = max(1, round(_nice_step((runs[-1] - runs[0]) / 7)))
    return [run for run in runs if run % every == 0]


def _label_places(series: Sequence[Series], down: Callable[[float], str]) -> list[tuple[Series, float]]:
    """The names beside the ends of their lines, moved apart when these are too close to read."""
    places: list[tuple[Series, float]] = []
    for line in sorted(series, key=lambda line: -line.values[-1]):
        y = float(down(line.values[-1]))
        if places:
            y = max(y, places[-1][1] + 14)
        places.append((line, round(y, 1)))
    return places
