"""The tables that a query may name, as text."""

from __future__ import annotations

from collections.abc import Sequence

from leakscan.report.text.lines import Line, Span, line, wrapped
from leakscan.report.text.terminal import Screen

Told = tuple[str, str, str, Sequence[tuple[str, str, str]]]


def tables_lines(relations: Sequence[Told], screen: Screen) -> list[Line]:
    """(table or view, name, what it is, columns as (name, type, meaning)), one after the other."""
    lines: list[Line] = []
    for kind, name, about, columns in relations:
        lines += [line()] if lines else []
        lines += wrapped(f"{kind}: {about}", screen.width, first=f"{name}  ", indent="  ", style="title")
        longest = max(len(column) for column, _, _ in columns)
        for column, of_type, meaning in columns:
            lead = f"  {column:<{longest}}  {of_type.lower():<9}  "
            lines += wrapped(meaning, screen.width, first=lead, indent=" " * len(lead))
    return [*lines, line(), line(Span("`leakscan` has the version of this schema.", "faint"))]
