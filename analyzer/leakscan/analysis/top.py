"""What one snapshot's memory hangs on: the biggest dominators, by object and by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.views import ObjectView
from leakscan.heap.graph import U64, HeapGraph

_TYPES_MEASURED: Final = 20


@dataclass(frozen=True, slots=True)
class Dominator:
    """An object and what would be freed with it. `label` is the slot it is known from.

    `children` are the biggest objects directly below it, one level of the tree; `others` and
    `others_bytes` are those below it that are not listed.
    """

    label: str
    type_name: str
    name: str
    shallow_bytes: int
    retained_bytes: int
    retained_count: int
    children: tuple[Dominator, ...] = ()
    others: int = 0
    others_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TypeDominance:
    """All objects of a type, and what would be freed with all of them."""

    type_name: str
    count: int
    shallow_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Top:
    """The biggest dominators of a snapshot, worst first, ties by name.

    `others` objects of the first level are not listed. `types_omitted` were not measured: none of
    them can retain more than `types_omitted_bytes_at_most`.
    """

    total_count: int
    total_bytes: int
    garbage_count: int
    garbage_bytes: int
    objects: tuple[Dominator, ...]
    others: int
    others_bytes: int
    types: tuple[TypeDominance, ...]
    types_omitted: int
    types_omitted_bytes_at_most: int
    expanded: ObjectView | None = None
    """the object that was to be expanded, when nothing would go with it"""
    also_held_by: tuple[tuple[str, int], ...] = ()
    """(slot, how many of the objects that one leads to it holds as well), most first"""
    meant: tuple[int, ...] = ()
    """numbers of the objects that were meant, where several were: of the biggest hundred the first is told"""


def _node(heap: Heap, obj: int, *, limit: int, depth: int) -> Dominator:
    graph = heap.graph
    children, others, others_bytes = _children(heap, obj, limit=limit, depth=depth)
    return Dominator(
        label=heap.names.holder_label(obj),
        type_name=graph.type_name(obj),
        name=graph.name_of(obj) or "",
        shallow_bytes=int(graph.sizes[obj]),
        retained_bytes=int(heap.retained[obj]),
        retained_count=int(heap.retained_counts[obj]),
        children=children,
        others=others,
        others_bytes=others_bytes,
    )


def _children(heap: Heap, node: int, *, limit: int, depth: int) -> tuple[tuple[Dominator, ...], int, int]:
    """The biggest `limit` children, how many are left out, and their bytes."""
    if depth == 0:
        return (), 0, 0
    tree, retained = heap.below, heap.retained
    below = tree.targets[int(tree.first_ref[node]) : int(tree.first_ref[node + 1])]
    # leakscan is in the process it observes, and nobody asked about it.
    below = below[heap.is_shown[below]]
    chosen = _biggest(retained[below], limit)
    # Descending is bounded by `depth`, which the caller chose, never by the heap.
    rows = [_node(heap, int(below[i]), limit=limit, depth=depth - 1) for i in chosen.tolist()]
    rows.sort(key=lambda row: (-row.retained_bytes, row.label, row.type_name))
    total = int(retained[below].sum())
    return tuple(rows), len(below) - len(rows), total - sum(row.retained_bytes for row in rows)


def top(heap: Heap, *, limit: int = 20, depth: int = 3, under: int | None = None) -> Top:
    """The biggest dominators of a snapshot (below the object `under`, when given), `depth` levels deep.

    leakscan's own objects are left out, except from the totals.
    """
    graph, life = heap.graph, heap.life
    start = graph.object_count if under is None else under
    rows, others, others_bytes = _children(heap, start, limit=limit, depth=depth)
    types, omitted, at_most = _by_type(graph, life, heap.retained)
    live = life.is_live
    return Top(
        total_count=int(live.sum()),
        total_bytes=int(graph.sizes[live].sum(dtype=np.uint64)),
        garbage_count=int((~live).sum()),
        garbage_bytes=int(graph.sizes[~live].sum(dtype=np.uint64)),
        objects=rows,
        others=others,
        others_bytes=others_bytes,
        types=types,
        types_omitted=omitted,
        types_omitted_bytes_at_most=at_most,
    )


def retained_by(life: Liveness, objects: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What would be freed with all these objects together, themselves included (mask)."""
    survives = kernels.reachable(life.csr, roots=life.anchors, skip=life.weak, barriers=objects) & ~objects
    return np.asarray(life.is_live & ~survives)


def _by_type(graph: HeapGraph, life: Liveness, retained: U64) -> tuple[tuple[TypeDominance, ...], int, int]:
    """Types by what all their objects together retain; measured for those that could be the biggest."""
    live = life.is_live
    counts, shallow = kernels.census(graph.type_ids, graph.sizes, key_count=len(graph.types), members=live)
    # No set retains more than its members do one by one, each with those below it.
    _, bounds = kernels.census(
        graph.type_ids, retained[: graph.object_count], key_count=len(graph.types), members=live
    )
    ranked = _biggest(bounds, len(bounds))
    ranked = ranked[counts[ranked] > 0]
    rows = []
    measured = ranked[:_TYPES_MEASURED]
    for row in measured.tolist():
        freed = retained_by(life, live & (graph.type_ids == row))
        rows.append(
            TypeDominance(
                graph.type_names[row],
                int(counts[row]),
                int(shallow[row]),
                int(graph.sizes[freed].sum(dtype=np.uint64)),
            )
        )
    rows.sort(key=lambda row: (-row.retained_bytes, row.type_name))
    rest = ranked[_TYPES_MEASURED:]
    total = int(graph.sizes[live].sum(dtype=np.uint64))
    at_most = min(total, int(bounds[rest].max())) if len(rest) else 0
    return tuple(rows), len(rest), at_most


def _biggest(values: U64, limit: int) -> npt.NDArray[np.intp]:
    """Positions of the `limit` biggest values, biggest first, ties in order of position."""
    if len(values) > 4 * limit > 0:
        floor = np.partition(values, len(values) - limit)[len(values) - limit]
        chosen = np.flatnonzero(values >= floor)
    else:
        chosen = np.arange(len(values))
    return chosen[np.argsort(-values[chosen].astype(np.int64), kind="stable")][:limit]
