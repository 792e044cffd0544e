"""The seven fixes in all of their combinations: which leaks each closes, and what it breaks."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from leakscan.analysis.results.findings import Verdict
from seeds_measure import Cell, Measure, measured
from streamlab import contract
from streamlab.fixes import CUT, SEVEN, Fixes

WAYS = (
    ("read to the end", "finished", "consume"),
    ("abandoned", "finished", "abandon"),
    ("suspended", "suspended", "consume"),
    ("model fails", "failed", "consume"),
    ("malformed memory", "malformed", "consume"),
)
LEAKING = tuple(range(1, len(WAYS)))
"""the ways to end whose streams leak when nothing is fixed"""

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    fixes: Fixes
    cells: tuple[Cell, ...]
    broken: dict[str, str]

    @property
    def names(self) -> Names:
        return frozenset(name for name in str(self.fixes).split(",") if name)

    @property
    def closed(self) -> int:
        """How many of the leaks there are without a fix."""
        return sum(not self.cells[way].is_leak for way in LEAKING)

    @property
    def closes_all(self) -> bool:
        return not any(cell.is_leak for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A row for each of the 128 combinations, fewest fixes first, and two with leakscan's cut."""

    rows: tuple[Row, ...]
    cut: Row
    guarded_cut: Row

    def row(self, *names: str) -> Row:
        return next(row for row in self.rows if row.names == frozenset(names))

    def where(self, holds: Callable[[Row], bool]) -> list[Names]:
        return [row.names for row in self.rows if holds(row)]

    @property
    def undecided(self) -> list[str]:
        """Rows and ways that neither leak nor are found to be sound."""
        return [
            f"{row.fixes or 'none'}, {way}: {cell.findings.headline}"
            for row in (*self.rows, self.cut, self.guarded_cut)
            for (way, _, _), cell in zip(WAYS, row.cells, strict=True)
            if cell.findings.verdict is Verdict.INCONCLUSIVE
        ]


def matrix() -> Matrix:
    sets = [Fixes(**dict.fromkeys(names, True)) for size in range(8) for names in combinations(SEVEN, size)]
    sets += [CUT, Fixes.named(f"{CUT},type_guards")]
    asked = [
        Measure(target=f"streamlab.ways:{name}", mode=mode, environment={"STREAMLAB_FIXES": str(fixes)})
        for fixes in sets
        for _, name, mode in WAYS
    ]
    cells = measured(asked, what="combinations of fixes")
    rows = [
        Row(
            fixes,
            tuple(cells[at * len(WAYS) : (at + 1) * len(WAYS)]),
            asyncio.run(contract.broken_by(fixes)),
        )
        for at, fixes in enumerate(sets)
    ]
    return Matrix(tuple(rows[:-2]), *rows[-2:])


def minimal(sets: Sequence[Names]) -> list[Names]:
    """Those without another one inside them."""
    return [each for each in sets if not any(other < each for other in sets)]


def maximal(sets: Sequence[Names]) -> list[Names]:
    return [each for each in sets if not any(other > each for other in sets)]


@dataclass(frozen=True, slots=True)
class Surprise:
    """One fix more, and what held without it holds no more: a leak is open again, a check breaks no more."""

    added: str
    to: Names
    what: str


def reopened(matrix: Matrix) -> list[Surprise]:
    """For each fix and way to end, the smallest combinations whose leak only the added fix opens again."""
    return [
        Surprise(added, to, WAYS[way][0])
        for way in range(len(WAYS))
        for added in SEVEN
        for to in _turned(matrix, added, lambda row, way=way: not row.cells[way].is_leak)
    ]


def mended(matrix: Matrix) -> list[Surprise]:
    """For each fix and check, the smallest combinations that break the check, and with the fix do not."""
    return [
        Surprise(added, to, check.__name__)
        for check in contract.CHECKS
        for added in SEVEN
        for to in _turned(matrix, added, lambda row, name=check.__name__: name in row.broken)
    ]


def _turned(matrix: Matrix, added: str, holds: Callable[[Row], bool]) -> list[Names]:
    holding = matrix.where(holds)
    return minimal([each for each in holding if added not in each and each | {added} not in holding])


def write_table(matrix: Matrix, file: Path) -> None:
    """All rows, for whoever wants to look further: outputs and bytes per run, checks broken."""
    with file.open("w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(
            [
                *SEVEN,
                *(f"{way}: {unit}" for way, _, _ in WAYS for unit in ("outputs per run", "kB per run")),
                "leaks closed",
                "checks broken",
            ]
        )
        for row in matrix.rows:
            table.writerow([*(int(name in row.names) for name in SEVEN), *_figures(row)])


def _figures(row: Row) -> Iterable[object]:
    for cell in row.cells:
        yield f"{cell.per_run('ModelOutput'):g}"
        yield f"{cell.bytes_per_run / 1000:.1f}" if cell.is_leak else 0
    yield row.closed
    yield " ".join(sorted(row.broken))
