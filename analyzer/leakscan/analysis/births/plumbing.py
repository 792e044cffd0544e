"""Objects of the runtime that are made anew with each change and stand for an old one.

A context's variables lie in a hash trie that is never changed: each `ContextVar.set` makes new nodes
(`Python/hamt.c` of CPython 3.11-3.15). To a reader they are the old context.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Survivors
from leakscan.analysis.graph.refs import distinct, refs_from
from leakscan.heap.graph import HeapGraph

_CONTEXT: Final = ("_contextvars.Context", "Context")
_NODES: Final = "hamt"
_DEEPEST: Final = 32
"""Levels of a trie of 32-bit hashes, and to spare."""


def without_plumbing(graph: HeapGraph, survivors: Survivors) -> Survivors:
    """The survivors without the nodes of old contexts' tries. O(n) for the types, then their size."""
    if graph.runtime != "cpython":
        return survivors
    is_node = np.array([name.startswith(_NODES) for name in graph.type_names], np.bool_)[graph.type_ids]
    contexts = [row for row, name in enumerate(graph.type_names) if name in _CONTEXT]
    level = np.flatnonzero(np.isin(graph.type_ids, contexts) & ~survivors.is_new).astype(np.uint32)
    is_new = survivors.is_new.copy()
    for _ in range(_DEEPEST):
        targets = graph.ref_targets[refs_from(graph, level)]
        level = distinct(targets[is_node[targets] & is_new[targets]])
        if not len(level):
            break
        is_new[level] = False
    kept = is_new[survivors.objects]
    return replace(survivors, is_new=is_new, objects=survivors.objects[kept], births=survivors.births[kept])
