"""One retention path as an ASCII tree, a step a line, notes in a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leakscan.analysis.results.findings import Path
from leakscan.report.folding import Piece, fold_steps
from leakscan.report.names import TypeNames, place, step_text
from leakscan.report.text.lines import Line, Span, line, shortened
from leakscan.wording import visible

_WIDEST_INDENT: Final = 24
"""A path is a chain: a long one gets smaller steps, and past this column none, so that it fits a screen."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line to be: what to say, and what to say beside it."""

    text: str
    note: str = ""
    mark: str = ""
    style: str = ""


def path_tree(
    path: Path, names: TypeNames, *, width: int, indent: int, cut_steps: frozenset[int], show_all: bool
) -> list[Line]:
    """The path's lines, none longer than `width`.

    `cut_steps` are the numbers of the steps whose reference a cut removes. Steps that repeat, and the
    middle of a long path, are folded with their count unless `show_all`.
    """
    rows = [_row(piece, names, cut_steps) for piece in fold_steps(path.steps, all_steps=show_all)]
    texts = [" " * indent + shortened(visible(path.root), width - indent)]
    step = max(1, min(3, _WIDEST_INDENT // max(len(rows), 1)))
    for depth, row in enumerate(rows):
        lead = " " * (indent + min(step * depth, _WIDEST_INDENT)) + "`- "
        texts.append(lead + shortened(row.text, width - len(lead)))
    column = _note_column(texts[1:], rows, width)
    marks = _mark_column(texts[1:], rows, column, width)
    lines = [line(Span(texts[0], "title"))]
    for text, row in zip(texts[1:], rows, strict=True):
        lines += _step_lines(text, row, column, marks, width)
    return lines


def _row(piece: Piece, names: TypeNames, cut_steps: frozenset[int]) -> _Row:
    step = piece.step
    if step is None:
        return _Row(f"{piece.note}: --paths shows all", style="faint")
    notes = [visible(step.note)] if step.note else []
    if step.file:
        notes.append(place(step.file, step.line))
    mark = style = ""
    if step.is_holder:
        mark, style = "<- holder", "mark"
    elif step.is_survivor:
        mark, style = "* survivor", "bad"
    if piece.number in cut_steps:
        mark = "x cut here" if not mark else f"x cut here, {mark}"
        style = "bad"
    return _Row(step_text(step, names), ", ".join(notes), mark, style)


def _note_column(texts: list[str], rows: list[_Row], width: int) -> int:
    """Where notes begin: after the longest step that leaves room for its own note."""
    ends = [
        len(text) + 2
        for text, row in zip(texts, rows, strict=True)
        if (row.note or row.mark) and len(text) + 2 + len(_beside(row)) <= width
    ]
    widest_note = max((len(_beside(row)) for row in rows if len(_beside(row)) <= width // 2), default=0)
    return min(max(ends, default=0), max(width - widest_note, 0))


def _mark_column(texts: list[str], rows: list[_Row], column: int, width: int) -> int:
    """Where the marks begin: after the longest note, unless that leaves no room for them."""
    ends = [
        max(column, len(text) + 2) + (len(row.note) + 2 if row.note else 0)
        for text, row in zip(texts, rows, strict=True)
        if row.mark
    ]
    longest = max((len(row.mark) for row in rows), default=0)
    return min(max(ends, default=0), width - longest)


def _beside(row: _Row) -> str:
    return "  ".join(part for part in (row.note, row.mark) if part)


def _step_lines(text: str, row: _Row, column: int, marks: int, width: int) -> list[Line]:
    parts: list[str | Span] = [Span(text, row.style if not row.mark else "")]
    used = len(text)
    below: list[Line] = []
    lead = " " * (len(text) - len(text.lstrip()) + 5)
    beside = len(row.note) + (len(row.mark) + 2 if row.mark else 0)
    if row.note and max(column, used + 2) + beside <= width:
        start = max(column, used + 2)
        parts += [" " * (start - used), Span(row.note, "faint")]
        used = start + len(row.note)
    elif row.note:
        below.append(line(lead, Span(shortened(row.note, width - len(lead)), "faint")))
    if row.mark and used + 2 + len(row.mark) <= width:
        start = max(min(marks, width - len(row.mark)), used + 2)
        parts += [" " * (start - used), Span(row.mark, row.style)]
    elif row.mark:
        below.append(line(lead, Span(row.mark, row.style)))
    return [line(*parts), *below]
