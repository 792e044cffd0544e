"""A treemap: areas in proportion, as near to squares as a simple layout gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 960
HEIGHT: Final = 360
_SMALLEST: Final = 0.002
"""Share of the whole below which nothing can be seen."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The item number `item` and where it lies; `text` is what fits in it."""

    item: int
    x: float
    y: float
    width: float
    height: float
    text: str


def treemap(sizes: Sequence[int], names: Sequence[str], *, most: int = 40) -> list[Tile]:
    """Tiles for the biggest sizes, which must come in descending order. Squarified (Bruls et al. 2000)."""
    total = sum(sizes)
    items = [at for at, size in enumerate(sizes[:most]) if total and size / total >= _SMALLEST]
    area = WIDTH * HEIGHT / (sum(sizes[at] for at in items) or 1)
    tiles: list[Tile] = []
    x, y, width, height = 0.0, 0.0, float(WIDTH), float(HEIGHT)
    while items:
        side = min(width, height)
        row = [items.pop(0)]
        while items and _worst([*row, items[0]], sizes, area, side) <= _worst(row, sizes, area, side):
            row.append(items.pop(0))
        thick = sum(sizes[at] for at in row) * area / side if side else 0.0
        along = 0.0
        for at in row:
            long = sizes[at] * area / thick if thick else 0.0
            at_x, at_y = (x, y + along) if width >= height else (x + along, y)
            across, down = (thick, long) if width >= height else (long, thick)
            text = _fitting(names[at], across, down)
            tiles.append(Tile(at, round(at_x, 1), round(at_y, 1), round(across, 1), round(down, 1), text))
            along += long
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
    return tiles


def _worst(row: Sequence[int], sizes: Sequence[int], area: float, side: float) -> float:
    total = sum(sizes[at] for at in row) * area
    if not total or not side:
        return float("inf")
    biggest, smallest = sizes[row[0]] * area, sizes[row[-1]] * area
    return max(side**2 * biggest / total**2, total**2 / (side**2 * smallest))


def _fitting(name: str, width: float, height: float) -> str:
    room = int((width - 8) / 7)
    if height < 16 or room < 4:
        return ""
    return name if len(name) <= room else name[: room - 1] + "\N{HORIZONTAL ELLIPSIS}"
