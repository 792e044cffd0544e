"""Which work each new object was born in, and what that makes of groups of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from leakscan.analysis.graph.refs import sources_of
from leakscan.analysis.results.works import WorkShare
from leakscan.heap.graph import U16, U32, U64, HeapGraph

_RECYCLED: Final = frozenset(
    (
        *("float", "int", "slice", "method", "builtin_function_or_method", "range"),
        *("list_iterator", "tuple_iterator", "range_iterator", "async_generator_asend"),
        *("_contextvars.Context", "Context"),
    )
)
"""Types whose dead blocks the interpreter may use again without a word: such an object is taken as born in
the work of what holds it, as far as that is new."""
MOST_TOLD: Final = 1000
"""Kinds of work in an answer; the rest is counted."""


def works_of(graph: HeapGraph, is_new: np.typing.NDArray[np.bool_]) -> U16 | None:
    """The work of each object, a row of `graph.work_names`. None: the program names no works. O(n + m)."""
    if not len(graph.work_names):
        return None
    works = graph.works.copy()
    works[~is_new] = 0
    rows = [row for row, name in enumerate(graph.type_names) if name in _RECYCLED]
    recycled = np.flatnonzero(is_new & np.isin(graph.type_ids, rows))
    if len(recycled):
        is_recycled = np.zeros(graph.object_count, np.bool_)
        is_recycled[recycled] = True
        refs = np.flatnonzero(is_recycled[graph.ref_targets]).astype(np.uint32)
        sources = sources_of(graph, refs)
        told = is_new[sources] & ~is_recycled[sources]
        works[graph.ref_targets[refs[told]]] = works[sources[told]]
    return works


def begun_between(before: HeapGraph, after: HeapGraph) -> U64:
    """How many of each work began between the snapshots, by row of the later one."""
    begun = after.works_begun.copy()
    rows = min(len(begun), len(before.works_begun))
    is_same = before.meta.get("pid") == after.meta.get("pid")
    if is_same and bool((before.works_begun[:rows] <= begun[:rows]).all()):
        begun[:rows] -= before.works_begun[:rows]
    return begun


def shares(graph: HeapGraph, begun: U64, *, works: U16, sizes: U64, heads: U16) -> tuple[WorkShare, ...]:
    """The works of some objects (their `works` and `sizes`) and of the survivors (`heads`), biggest first."""
    rows = len(graph.work_names)
    objects = np.bincount(works, minlength=rows)
    weights = np.bincount(works, weights=sizes.astype(np.float64), minlength=rows)
    survivors = np.bincount(heads, minlength=rows)
    present = np.flatnonzero((objects > 0) | (survivors > 0))
    return merged(
        WorkShare(
            graph.strings[int(graph.work_names[row])],
            int(begun[row]),
            int(survivors[row]),
            int(objects[row]),
            int(weights[row]),
        )
        for row in present.tolist()
    )


def of_all(graph: HeapGraph, begun: U64, parts: Iterable[Sequence[WorkShare]]) -> tuple[WorkShare, ...]:
    """The shares of several leaks together, and every work that began and left nothing."""
    idle = (
        WorkShare(graph.strings[int(graph.work_names[row])], int(begun[row]), 0, 0, 0)
        for row in np.flatnonzero(begun > 0).tolist()
    )
    return merged([*(share for part in parts for share in part), *idle])


def merged(parts: Iterable[WorkShare]) -> tuple[WorkShare, ...]:
    """One share for each name; most bytes first, then most objects, then most begun, ties by name."""
    begun: dict[str, int] = {}
    survivors, objects, sizes = Counter[str](), Counter[str](), Counter[str]()
    for share in parts:
        begun[share.name] = max(begun.get(share.name, 0), share.begun)
        survivors[share.name] += share.survivors
        objects[share.name] += share.objects
        sizes[share.name] += share.bytes
    found = [WorkShare(name, begun[name], survivors[name], objects[name], sizes[name]) for name in begun]
    return tuple(sorted(found, key=lambda share: (-share.bytes, -share.objects, -share.begun, share.name)))


def new_in_group(owner: U32, number: int, is_new: np.typing.NDArray[np.bool_]) -> U32:
    """Region numbers of what belongs to a leak alone and is new."""
    return np.flatnonzero((owner == number) & is_new).astype(np.uint32)
