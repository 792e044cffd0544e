"""`leakscan watch --live`: one screen that is drawn anew, with the way each figure went."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from leakscan.capture.process.vitals import Vitals
from leakscan.capture.watch.watch import Event
from leakscan.cli.watch_lines import line_of
from leakscan.wording import size_text, visible

_ROWS: Final = (
    ("RSS", "rss_bytes"),
    ("USS", "uss_bytes"),
    ("Python, in use", "python_bytes"),
    ("Python, free in pools", "slack_bytes"),
    ("malloc's arenas", "malloc_bytes"),
    ("other mappings", "mapped_bytes"),
    ("stacks", "stack_bytes"),
    ("mapped files", "file_bytes"),
    ("shared memory", "shared_bytes"),
    ("swap", "swap_bytes"),
)
_MARKS: Final = " .:-=+*#"
_POINTS: Final = 24
_KEPT: Final = 3600
_NOTES: Final = 6


def show_live(looks: Iterator[Event], title: str) -> None:
    """Draws until the looks end; what was said of alarms stays on the screen."""
    history: deque[Vitals] = deque(maxlen=_KEPT)
    notes: deque[str] = deque(maxlen=_NOTES)
    with Live(auto_refresh=False) as live:
        for event in looks:
            if isinstance(event, Vitals):
                history.append(event)
            else:
                notes.append(line_of(event))
            if history:
                live.update(_screen(history, notes, title), refresh=True)


def way(values: Sequence[int]) -> str:
    """The values as one line of marks, from the least to the most of them."""
    step = max(1, -(-len(values) // _POINTS))
    points = list(values)[::-step][::-1]
    least, most = min(points), max(points)
    if most == least:
        return _MARKS[1] * len(points)
    return "".join(_MARKS[1 + (value - least) * (len(_MARKS) - 2) // (most - least)] for value in points)


def _screen(history: deque[Vitals], notes: deque[str], title: str) -> Group:
    now, first = history[-1], history[0]
    seconds = now.time_unix - first.time_unix
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("", "now", "growth"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_column(f"last {seconds:.0f} s")
    for name, field in _ROWS:
        values = [value for each in history if (value := getattr(each, field)) is not None]
        if values:
            grown = values[-1] - values[0]
            growth = f"{'+' if grown >= 0 else '-'}{size_text(abs(grown))}"
            table.add_row(name, size_text(values[-1]), growth, way(values))
    clock = time.strftime("%H:%M:%S", time.localtime(now.time_unix))
    arenas = f", {now.arena_regions} of thread arenas" if now.arena_regions else ""
    head = f"{visible(title)}  {clock}  {now.threads} threads, {now.regions} mappings{arenas}"
    return Group(Text(head), table, *(Text(note) for note in notes))
