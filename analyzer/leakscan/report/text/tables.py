"""Aligned tables, and births as one character a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leakscan.analysis.results.findings import Growth, Verdict
from leakscan.report.text.lines import Line, Span, line, shortened_name, wrapped
from leakscan.wording import count_text, rate_text, size_text, visible

MOST_RUN_COLUMNS: Final = 20
_NAME_WIDTH: Final = 24
_NARROWEST_NAME: Final = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A title, and how what stands below it is set."""

    title: str
    is_number: bool = True
    style: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int) -> list[Line]:
    """The rows under their titles; the first column is a name and gives way when `width` is too small."""
    widths = _widths(columns, rows)
    widths[0] = min(widths[0], max(width - _taken(widths), _NARROWEST_NAME))
    lines = [line(Span(_aligned([column.title for column in columns], columns, widths), "faint"))]
    for row in rows:
        cells = [shortened_name(row[0], widths[0]), *row[1:]]
        lines.append(_styled(cells, columns, widths))
    return lines


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([len(column.title), *(len(row[number]) for row in rows)]) for number, column in enumerate(columns)
    ]


def _taken(widths: Sequence[int]) -> int:
    return sum(widths[1:]) + 2 * (len(widths) - 1)


def _aligned(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.rjust(size) if column.is_number else cell.ljust(size)
        for cell, column, size in zip(cells, columns, widths, strict=True)
    )


def _styled(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> Line:
    parts: list[str | Span] = []
    for number, (cell, column, size) in enumerate(zip(cells, columns, widths, strict=True)):
        text = cell.rjust(size) if column.is_number else cell.ljust(size)
        parts += ["  " if number else "", Span(text, column.style)]
    return line(*parts)


def runs_per_column(runs: int, *, most_columns: int = MOST_RUN_COLUMNS) -> int:
    """How many runs one character of `births_line` stands for."""
    return max(1, -(-runs // most_columns))


def births_line(births: Sequence[int], *, bin_size: int = 1) -> str:
    """One character for each `bin_size` runs: `#` survivors of every run, `+` of some, `.` of none."""
    marks = []
    for start in range(0, len(births), bin_size):
        born = [count > 0 for count in births[start : start + bin_size]]
        marks.append("#" if all(born) else "+" if any(born) else ".")
    return "".join(marks)


def births_title(runs: int, bin_size: int) -> str:
    """`births 1..20`, or how many runs a character stands for."""
    return f"1..{runs} by {bin_size}" if bin_size > 1 else f"births 1..{runs}"


def growth_table(rows: Sequence[Growth], *, runs: int, width: int, unit: str = "run") -> list[Line]:
    """Types by growth. Births are left out when there are none, or (and said) when there is no room."""
    if not any(row.births for row in rows):
        return table(*_growth_cells(rows, runs, 0, unit), width=width)
    bin_size = runs_per_column(runs)
    columns, cells = _growth_cells(rows, runs, bin_size, unit)
    needed = max(min(len(row[0]), len(row[0].rpartition(".")[2]) + 3) for row in cells)
    # A class that can be told from the others says more than the second half of its births.
    if width - _taken(_widths(columns, cells)) < min(needed, _NAME_WIDTH):
        bin_size = runs_per_column(runs, most_columns=MOST_RUN_COLUMNS // 2)
        columns, cells = _growth_cells(rows, runs, bin_size, unit)
    if width - _taken(_widths(columns, cells)) < _NARROWEST_NAME:
        lines = table(*_growth_cells(rows, runs, 0, unit), width=width)
        return [*lines, line(Span("births: no room beside these numbers, --json has them", "faint"))]
    lines = table(columns, cells, width=width)
    if bin_size > 1:
        legend = f"births: a character is {bin_size} {unit}s, # born in each, + in some, . in none"
        lines += wrapped(legend, width, indent="  ", style="faint")
    return lines


def _growth_cells(
    rows: Sequence[Growth], runs: int, bin_size: int, unit: str
) -> tuple[list[Column], list[list[str]]]:
    """Titles and cells; without births when `bin_size` is 0."""
    has_births = bin_size > 0
    columns = [
        Column("type", is_number=False),
        Column("before"),
        Column("after"),
        Column("delta"),
        Column(f"/{unit}"),
        *([Column(births_title(runs, bin_size), is_number=False)] if has_births else []),
        Column("retained"),
    ]
    cells = []
    for row in rows:
        births = [births_line(row.births, bin_size=bin_size)] if has_births else []
        cells.append(
            [
                visible(row.type_name),
                count_text(row.count_before),
                count_text(row.count_after),
                f"{'+' if row.delta > 0 else ''}{count_text(row.delta)}",
                rate_text(row.per_run) if row.verdict in (Verdict.LEAK, Verdict.INCONCLUSIVE) else "-",
                *births,
                _last_cell(row),
            ]
        )
    return columns, cells


def _last_cell(row: Growth) -> str:
    if row.verdict in (Verdict.WARM_UP, Verdict.BOUNDED, Verdict.GARBAGE):
        return row.verdict.value
    return "-" if row.retained_bytes is None else size_text(row.retained_bytes)
