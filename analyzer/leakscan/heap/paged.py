"""Columns of references that stay in the file: what is asked for is read, checked and soon forgotten.

Of the earlier of two snapshots only the entries of a few holders are looked at, but its references are
half of what it weighs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.heap.chunks import DTYPES, ChunkFile

Items = npt.NDArray[Any]  # Any: columns differ in width

_PAGES: Final = 64
"""Pages that are kept of one column; the recorder writes a quarter of a megabyte in each."""


class PagedColumn:
    """One column, indexed as an array of one dimension would be; `numpy.asarray` reads all of it.

    `counts` are the items of each page, and `read` gives those of one page, which it has checked.
    """

    def __init__(self, counts: Sequence[int], read: Callable[[int], Items], dtype: npt.DTypeLike) -> None:
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)
        self._read = read
        self._kept: OrderedDict[int, Items] = OrderedDict()
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, key: Any) -> Any:  # Any: what an array takes and gives
        if isinstance(key, slice):
            return self[np.arange(*key.indices(len(self)))]
        if isinstance(key, np.ndarray) and key.dtype == np.bool_:
            key = np.flatnonzero(key)
        items = np.atleast_1d(np.asarray(key)).astype(np.int64)
        items[items < 0] += len(self)
        if len(items) and not (items.min() >= 0 and items.max() < len(self)):
            raise IndexError(f"one of the items is not among the {len(self)} of the column")
        found = self._items(items)
        return found if np.ndim(key) else found[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Items:
        found = self._items(np.arange(len(self)))
        return found if dtype is None else found.astype(dtype)

    def _items(self, items: npt.NDArray[np.int64]) -> Items:
        pages = np.searchsorted(self._starts, items, side="right") - 1
        found = np.empty(len(items), self.dtype)
        if len(items) and pages[0] == pages[-1] and (pages == pages[0]).all():
            found[:] = self._page(int(pages[0]))[items - self._starts[pages[0]]]
            return found
        order = np.argsort(pages, kind="stable")
        ends = np.flatnonzero(np.diff(pages[order], append=-1)) + 1
        for part in np.split(order, ends[:-1]) if len(items) else ():
            page = int(pages[part[0]])
            found[part] = self._page(page)[items[part] - self._starts[page]]
        return found

    def _page(self, page: int) -> Items:
        if page not in self._kept:
            self._kept[page] = self._read(page)
            if len(self._kept) > _PAGES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(page)
        return self._kept[page]


def paged_references(chunks: ChunkFile) -> dict[str, PagedColumn]:
    """The columns of references of a file by their names in a HeapGraph."""
    kinds = _column(chunks, "ref.kind", 1, lambda items, _: _checked_kinds(chunks, items))
    return {
        "first_ref": _first_references(chunks),
        "ref_targets": _column(chunks, "ref.dst", 3, lambda items, _: _checked_targets(chunks, items)),
        "ref_kinds": kinds,
        "ref_labels": _column(
            chunks, "ref.label", 3, lambda items, start: _checked_labels(chunks, kinds, items, start)
        ),
    }


def _column(chunks: ChunkFile, name: str, dtype: int, checked: Callable[[Items, int], Items]) -> PagedColumn:
    """`checked` gets what one chunk holds and the number of its first item."""
    pages = chunks.of(name)
    counts = [page.items for page in pages]
    starts = [0, *accumulate(counts)]
    for page in pages:
        if page.dtype != dtype:
            raise chunks.fault(name, f"has items of dtype {page.dtype}, not {dtype}")
    return PagedColumn(
        counts, lambda page: checked(chunks.items_of(pages[page]), starts[page]), DTYPES[dtype]
    )


def _first_references(chunks: ChunkFile) -> PagedColumn:
    """Where the references of each object begin, and one item more: the sums of `obj.refs` so far."""
    pages = chunks.of("obj.refs")
    before = [0, *accumulate(int(chunks.items_of(page).sum(dtype=np.uint64)) for page in pages)]
    if before[-1] != chunks.items("ref.dst"):
        raise chunks.fault(
            "obj.refs", f"adds up to {before[-1]}, there are {chunks.items('ref.dst')} references"
        )

    def read(page: int) -> Items:
        if page == len(pages):
            return np.array([before[-1]], np.uint64)
        counts = chunks.items_of(pages[page])
        sums = np.cumsum(counts, dtype=np.uint64)
        return np.asarray(sums - counts + np.uint64(before[page]))

    return PagedColumn([*(page.items for page in pages), 1], read, np.uint64)


def _checked_targets(chunks: ChunkFile, items: Items) -> Items:
    limit = chunks.items("obj.type")
    fault = _native.first_not_below(items, limit, None)
    if fault is not None:
        raise chunks.fault("ref.dst", f"has {int(items[fault])}, there are only {limit} objects")
    return items


def _checked_kinds(chunks: ChunkFile, items: Items) -> Items:
    fault = _native.first_unknown_kind(items)
    if fault is not None:
        raise chunks.fault("ref.kind", f"has the unknown kind {int(items[fault]) & 0x7F}")
    return items


def _checked_labels(chunks: ChunkFile, kinds: PagedColumn, items: Items, start: int) -> Items:
    limit = chunks.items("str.ends")
    fault = _native.first_bad_label(kinds[start : start + len(items)], items, limit)
    if fault is not None:
        raise chunks.fault("ref.label", f"has {int(items[fault])}, there are only {limit} strings")
    return items
