"""A snapshot without what lies deep in the new: where memory is too short to look at all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import HeapGraph, Roots, TypeTable
from leakscan.heap.kinds import BIRTH_BASELINE, BIRTH_WAITING, NO_OBJECT, ObjectFlag

WARNING: Final = (
    "memory was short: only new objects that an old one or a root refers to were looked at; what they hold in"
    " turn is missing"
)


def shallow(graph: HeapGraph) -> HeapGraph:
    """`graph` with its old objects and those new ones that they, or roots, refer to; `graph` without births.

    The entries of what grew are all there, with their births; what is behind them is not. O(n + m); takes
    20 bytes an object and ten a reference beside what is kept.
    """
    if graph.runtime != "cpython" or not graph.has_births:
        return graph
    keeps = _kept(graph)
    numbers = np.cumsum(keeps, dtype=np.uint32) - np.uint32(1)
    counts = np.diff(graph.first_ref)
    stays = np.repeat(keeps, counts.astype(np.int64)) & keeps[graph.ref_targets]
    until = np.concatenate([np.zeros(1, np.uint64), np.cumsum(stays, dtype=np.uint64)])
    left = until[graph.first_ref[1:]] - until[graph.first_ref[:-1]]
    flags = graph.flags | np.where(left < counts, np.uint8(ObjectFlag.UNREADABLE), np.uint8(0))
    first = np.zeros(int(keeps.sum()) + 1, np.uint64)
    np.cumsum(left[keeps], out=first[1:])
    roots, texts = keeps[graph.roots.targets], keeps[graph.text_objects]
    types = graph.types.objects
    known = types != NO_OBJECT
    return replace(
        graph,
        types=TypeTable(
            np.where(known, numbers[np.where(known, types, 0)], NO_OBJECT).astype(np.uint32),
            graph.types.modules,
            graph.types.names,
            graph.types.flags,
        ),
        addresses=graph.addresses[keeps],
        type_ids=graph.type_ids[keeps],
        sizes=graph.sizes[keeps],
        refcounts=graph.refcounts[keeps],
        births=graph.births[keeps],
        flags=flags[keeps].astype(np.uint8),
        sites=_of(graph.sites, keeps),
        works=_of(graph.works, keeps),
        first_ref=first,
        ref_targets=numbers[graph.ref_targets[stays]],
        ref_kinds=graph.ref_kinds[stays],
        ref_labels=graph.ref_labels[stays],
        roots=Roots(
            graph.roots.kinds[roots],
            graph.roots.labels[roots],
            numbers[graph.roots.targets[roots]],
            graph.roots.flags[roots],
        ),
        names={int(numbers[each]): name for each, name in graph.names.items() if keeps[each]},
        locations={int(numbers[each]): at for each, at in graph.locations.items() if keeps[each]},
        bounds={int(numbers[each]): size for each, size in graph.bounds.items() if keeps[each]},
        text_objects=numbers[graph.text_objects[texts]],
        text_lengths=graph.text_lengths[texts],
        text_hashes=graph.text_hashes[texts],
        warnings=(*graph.warnings, WARNING),
        is_shallow=True,
    )


def _kept(graph: HeapGraph) -> npt.NDArray[np.bool_]:
    is_new = (graph.births > BIRTH_BASELINE) & (graph.births < BIRTH_WAITING)
    keeps = ~is_new
    keeps[graph.roots.targets] = True
    keeps[graph.types.objects[graph.types.objects != NO_OBJECT]] = True
    counts = np.diff(graph.first_ref).astype(np.int64)
    keeps[graph.ref_targets[np.repeat(keeps, counts)]] = True
    return keeps


def _of(column: npt.NDArray[Any], keeps: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:  # Any: its integer type
    """An optional column: it has no items where nothing was recorded."""
    return column[keeps] if len(column) else column
