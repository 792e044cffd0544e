"""The objects of a snapshot, counted by type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from leakscan import _native
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_OWN, ObjectFlag, TypeFlag

TypeCensus = Mapping[str, tuple[int, int]]
"""(objects, shallow bytes) by type name."""
V8_INTERNALS: Final = "(V8 internals)"


def row_names(graph: HeapGraph) -> tuple[str, ...]:
    """What each type is counted as: its own full name, but the many kinds of V8's own objects as one."""
    if graph.runtime != "v8":
        return graph.type_names
    is_engine = (graph.types.flags & np.uint8(TypeFlag.SYNTHETIC)) != 0
    return tuple(
        V8_INTERNALS if engine else name
        for name, engine in zip(graph.type_names, is_engine.tolist(), strict=True)
    )


def census(graph: HeapGraph) -> dict[str, tuple[int, int]]:
    """(objects, shallow bytes) of each type by its full name; leakscan's own are not counted."""
    is_own = (graph.flags & np.uint8(ObjectFlag.OWN)) != 0
    counted = ~(is_own | (graph.births == BIRTH_OWN))
    rows = max(1, len(graph.types))
    counts, sizes = np.empty(rows, np.uint64), np.empty(rows, np.uint64)
    # np.bincount would copy both columns to 8 bytes an item.
    _native.census(graph.type_ids, graph.sizes, counted, counts, sizes)
    found: dict[str, tuple[int, int]] = {}
    for name, count, size in zip(row_names(graph), counts.tolist(), sizes.tolist(), strict=False):
        if count:
            known = found.get(name, (0, 0))
            found[name] = (known[0] + count, known[1] + size)
    return found
