"""Facts that few objects have, kept as sorted arrays that read like a mapping."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping

import numpy as np

from leakscan.heap.graph import U32, U64


class SparseColumn(Mapping[int, int]):
    """object -> number, 12 bytes an entry. The last of several facts about one object wins."""

    def __init__(self, objects: U32, values: U32 | U64) -> None:
        self.objects, rows = _sorted_unique(objects)
        self.values_array = values[rows]

    def items(self) -> ItemsView[int, int]:
        return _Numbers(self)

    def __getitem__(self, obj: int) -> int:
        return int(self.values_array[_row(self.objects, obj)])

    def __iter__(self) -> Iterator[int]:
        return iter(self.objects.tolist())

    def __len__(self) -> int:
        return len(self.objects)


class SparsePlaces(Mapping[int, tuple[int, int]]):
    """object -> (file string, line)."""

    def __init__(self, objects: U32, files: U32, lines: U32) -> None:
        self.objects, rows = _sorted_unique(objects)
        self.files, self.lines = files[rows], lines[rows]

    def items(self) -> ItemsView[int, tuple[int, int]]:
        return _Places(self)

    def __getitem__(self, obj: int) -> tuple[int, int]:
        row = _row(self.objects, obj)
        return int(self.files[row]), int(self.lines[row])

    def __iter__(self) -> Iterator[int]:
        return iter(self.objects.tolist())

    def __len__(self) -> int:
        return len(self.objects)


class _Numbers(ItemsView[int, int]):
    """All of them in one pass: a look-up each takes ten times as long."""

    def __init__(self, column: SparseColumn) -> None:
        super().__init__(column)
        self._column = column

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._column.objects.tolist(), self._column.values_array.tolist(), strict=True)


class _Places(ItemsView[int, tuple[int, int]]):
    """All of them in one pass: a look-up each takes ten times as long."""

    def __init__(self, places: SparsePlaces) -> None:
        super().__init__(places)
        self._places = places

    def __iter__(self) -> Iterator[tuple[int, tuple[int, int]]]:
        places = self._places
        lines = zip(places.files.tolist(), places.lines.tolist(), strict=True)
        return zip(places.objects.tolist(), lines, strict=True)


def _sorted_unique(objects: U32) -> tuple[U32, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    order = np.argsort(objects, kind="stable")
    ordered = objects[order]
    is_last = np.ones(len(ordered), np.bool_)
    is_last[:-1] = ordered[1:] != ordered[:-1]
    return ordered[is_last], order[is_last]


def _row(objects: U32, obj: int) -> int:
    row = int(np.searchsorted(objects, np.uint32(obj))) if 0 <= obj < 2**32 else len(objects)
    if row == len(objects) or int(objects[row]) != obj:
        raise KeyError(obj)
    return row
