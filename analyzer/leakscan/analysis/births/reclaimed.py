"""Objects that only look like leakscan's own: a thread of the program made them in a block that it gave back.

A free list of CPython hands a block out again without asking the allocator, and it keeps its birth
(`Objects/tupleobject.c`, `listobject.c`, `dictobject.c` of 3.11-3.15). A worker that stores a tuple while
leakscan collects may get one that was leakscan's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.graph.refs import distinct, kinds_of, refs_with_sources, sources_of
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_OWN, BIRTH_WAITING, Kind, ObjectFlag

_FREE_LISTS: Final = ("tuple", "list", "dict", "builtins.tuple", "builtins.list", "builtins.dict")


def reclaimed(graph: HeapGraph) -> HeapGraph:
    """`graph` with such objects as the program's, born with the youngest object in them.

    They are told by what is on both sides: something of the program holds them, and they hold something that
    was born in a run.
    """
    if graph.runtime != "cpython" or not graph.has_births:
        return graph
    rows = [row for row, name in enumerate(graph.type_names) if name in _FREE_LISTS]
    is_own = (graph.flags & np.uint8(ObjectFlag.OWN)) != 0
    suspects = is_own & (graph.births == BIRTH_OWN) & np.isin(graph.type_ids, rows)
    candidates = np.flatnonzero(suspects).astype(np.uint32)
    if not len(candidates):
        return graph
    refs, owners = refs_with_sources(graph, candidates)
    inside = graph.ref_targets[refs]
    births = graph.births[inside]
    is_dated = (births > 0) & (births < BIRTH_WAITING) & ~is_own[inside]
    holding = distinct(owners[is_dated])
    into = np.flatnonzero(np.isin(graph.ref_targets, holding)).astype(np.uint32)
    into = into[~np.isin(kinds_of(graph, into), (Kind.WEAK, Kind.LOCAL, Kind.STACK, Kind.FRAME))]
    held = distinct(graph.ref_targets[into[~is_own[sources_of(graph, into)]]])
    if not len(held):
        return graph
    youngest = np.zeros(graph.object_count, np.uint16)
    np.maximum.at(youngest, owners[is_dated], births[is_dated])
    flags, birth_column = graph.flags.copy(), graph.births.copy()
    flags[held] &= np.uint8(~ObjectFlag.OWN & 0xFF)
    birth_column[held] = youngest[held]
    return replace(graph, flags=flags, births=birth_column)
