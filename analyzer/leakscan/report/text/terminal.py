"""Writes styled lines to a stream: with colour on a terminal that wants it, plain everywhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from leakscan.report.text.lines import Line, plain, stripped

DEFAULT_WIDTH: Final = 80
NARROWEST: Final = 60
WIDEST: Final = 160

_RICH_STYLES: Final = {
    "title": "bold",
    "bad": "bold red",
    "good": "bold green",
    "doubt": "bold yellow",
    "faint": "dim",
    "mark": "bold magenta",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """What the reader's end can show. `wraps_headline` is false where the first line must stay whole."""

    width: int = DEFAULT_WIDTH
    has_colour: bool = False
    wraps_headline: bool = True


def screen_of(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Screen:
    """What `stream` can show: COLUMNS, NO_COLOR, FORCE_COLOR and TERM=dumb are respected.

    A pipe without COLUMNS gets 80 columns with the headline on one line, for `head -1` and `grep`.
    """
    is_terminal = stream.isatty()
    columns = environment.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        width = int(columns)
    else:
        width = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if is_terminal else DEFAULT_WIDTH
    return Screen(
        width=min(max(width, NARROWEST), WIDEST),
        has_colour=_wants_colour(is_terminal=is_terminal, environment=environment),
        wraps_headline=is_terminal or columns.isdigit(),
    )


def _wants_colour(*, is_terminal: bool, environment: Mapping[str, str]) -> bool:
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal and environment.get("TERM", "") != "dumb"


def write(lines: list[Line], stream: TextIO, screen: Screen) -> None:
    """Write the lines. A character that the stream's encoding lacks is written as its escape."""
    text = _coloured(lines) if screen.has_colour else plain(lines)
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _coloured(lines: list[Line]) -> str:
    from rich.color import ColorSystem
    from rich.style import Style

    styles = {name: Style.parse(spelling) for name, spelling in _RICH_STYLES.items()}
    rows = []
    for spans in lines:
        parts = [
            styles[span.style].render(span.text, color_system=ColorSystem.STANDARD)
            if span.style
            else span.text
            for span in stripped(spans)
        ]
        rows.append("".join(parts) + "\n")
    return "".join(rows)
