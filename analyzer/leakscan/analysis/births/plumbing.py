"""Objects of the runtime that are made anew with each change and stand for an old one.

A context keeps its variables in a hash trie that never changes: `ContextVar.set` makes new nodes
(`Python/hamt.c` of CPython 3.11-3.15). To a reader they are the old context. Attributes that no longer fit
inside their object move to a dict (`Objects/dictobject.c` of 3.11-3.15), and V8 puts what an object holds
into a store and gives it a larger one when that is full: to a reader it is the old object.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Mask, Survivors
from leakscan.analysis.graph.refs import distinct, refs_from, sources_of, strings_equal
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind, TypeFlag

_CONTEXT: Final = ("_contextvars.Context", "Context")
_NODES: Final = "hamt"
_OF_THREAD: Final = "context of the thread"
_DEEPEST: Final = 9
"""The trie, seven levels of nodes by five bits of a hash each, and one for hashes that are the same."""


def without_plumbing(graph: HeapGraph, survivors: Survivors) -> Survivors:
    """The survivors without the nodes of old contexts' tries, and what old objects hold more by.

    O(n) for the types, then their size.
    """
    if graph.runtime != "cpython":
        is_engine = (graph.types.flags & np.uint8(TypeFlag.SYNTHETIC)) != 0
        return _without(survivors, _without_stores(graph, survivors, is_engine))
    is_dict = np.array([name == "dict" for name in graph.type_names], np.bool_)
    survivors = _without(survivors, _without_stores(graph, survivors, is_dict))
    is_node = np.array([name.startswith(_NODES) for name in graph.type_names], np.bool_)[graph.type_ids]
    contexts = [row for row, name in enumerate(graph.type_names) if name in _CONTEXT]
    is_new = survivors.is_new.copy()
    is_new[_contexts_of_threads(graph, survivors)] = False
    level = np.flatnonzero(np.isin(graph.type_ids, contexts) & ~is_new).astype(np.uint32)
    for _ in range(_DEEPEST):
        targets = graph.ref_targets[refs_from(graph, level)]
        level = distinct(targets[is_node[targets] & is_new[targets]])
        if not len(level):
            break
        is_new[level] = False
    return _without(survivors, is_new)


def _contexts_of_threads(graph: HeapGraph, survivors: Survivors) -> U32:
    """The contexts that threads were given with their first variable, or when they first called into a loop.

    What a thread runs in at the moment may be the context of a task: that one is held elsewhere, too.
    """
    labels = strings_equal(graph.strings, _OF_THREAD)
    targets = distinct(graph.roots.targets[np.isin(graph.roots.labels, labels)])
    made = targets[survivors.is_new[targets]]
    if len(made) < 2:
        return made
    own: U32 = made[~np.isin(made, graph.ref_targets)]
    return own


def _without_stores(graph: HeapGraph, survivors: Survivors, is_store_type: Mask) -> Mask:
    """What is new, without the stores (elements, properties, `__dict__`) that old objects were given anew.

    `is_store_type` is one item for each row of the type table.
    """
    is_store = is_store_type[graph.type_ids] & survivors.is_new
    into = np.flatnonzero((graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.DICT).astype(np.uint32)
    into = into[is_store[graph.ref_targets[into]]]
    is_new = survivors.is_new.copy()
    is_new[graph.ref_targets[into[~survivors.is_new[sources_of(graph, into)]]]] = False
    return is_new


def _without(survivors: Survivors, is_new: Mask) -> Survivors:
    kept = is_new[survivors.objects]
    return replace(survivors, is_new=is_new, objects=survivors.objects[kept], births=survivors.births[kept])
