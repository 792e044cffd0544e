"""Rows of a query as an aligned table, as CSV and as JSON; names out of a program are inert in each."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from leakscan.report.text.lines import Line, Span, line, shortened, wrapped
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, visible

_NARROWEST: Final = 12
_FORMULA: Final = ("=", "+", "-", "@")
Rows = Sequence[Sequence[Any]]


def query_lines(columns: Sequence[str], rows: Rows, screen: Screen, *, is_cut_off: bool) -> list[Line]:
    """A table no wider than the screen: the longest texts give way."""
    if not columns:
        return []
    texts = [[_text(value) for value in row] for row in rows]
    titles = [visible(name) for name in columns]
    is_number = [_is_number(row[at] for row in rows) for at in range(len(columns))]
    widths = [max([len(title), *(len(row[at]) for row in texts)]) for at, title in enumerate(titles)]
    _shrink(widths, is_number, screen.width)
    lines = [line(Span(_row(titles, widths, is_number), "faint"))]
    lines += [line(_row(row, widths, is_number)) for row in texts]
    if not rows:
        lines.append(line(Span("no rows", "faint")))
    elif is_cut_off:
        text = f"more than these {count_text(len(rows))} rows: --limit 0 shows all"
        lines += wrapped(text, screen.width, style="faint")
    return lines


def query_csv(columns: Sequence[str], rows: Rows) -> str:
    """Comma-separated, a line a row. A text that a spreadsheet would run as a formula begins with a quote."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return written.getvalue()


def query_json(columns: Sequence[str], types: Sequence[str], rows: Rows) -> str:
    """One object with the columns and the rows; only ASCII, numbers as numbers."""
    plain = {
        "format": "leakscan-query",
        "version": 1,
        "columns": [{"name": name, "type": kind} for name, kind in zip(columns, types, strict=True)],
        "rows": [[_plain(value) for value in row] for row in rows],
    }
    return json.dumps(plain, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _row(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    shown = [shortened(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(shown, widths, is_number, strict=True)
    )


def _shrink(widths: list[int], is_number: Sequence[bool], room: int) -> None:
    while sum(widths) + 2 * (len(widths) - 1) > room:
        wide = [(width, at) for at, width in enumerate(widths) if not is_number[at] and width > _NARROWEST]
        if not wide:
            return
        _, at = max(wide)
        over = sum(widths) + 2 * (len(widths) - 1) - room
        second = sorted(width for width, _ in wide)[-2] if len(wide) > 1 else _NARROWEST
        widths[at] = max(_NARROWEST, min(widths[at] - 1, max(widths[at] - over, second)))


def _is_number(values: Any) -> bool:
    kept = [value for value in values if value is not None]
    return bool(kept) and all(isinstance(value, (int, float, Decimal)) for value in kept)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(str(value))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    text = visible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)
