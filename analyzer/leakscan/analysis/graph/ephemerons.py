"""Values of WeakMaps, which live only while their key and the map do: what a lost map lets go of."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import sources_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind
from leakscan.heap.v8_names import WEAK_MAP_VALUE

_KEY: Final = re.compile(r"part of key \(.* @(\d+)\) -> value \(", re.DOTALL)


def lost_values(graph: HeapGraph, is_reached: npt.NDArray[np.bool_]) -> U32:
    """References from a key to its value in WeakMaps whose table is not reached: they hold no longer.

    The table's own reference to the value names the key. Where V8 cut that name short the reference stays.
    """
    pairs = np.flatnonzero((graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.EPHEMERON).astype(np.uint32)
    pairs = pairs[~is_reached[sources_of(graph, pairs)] & is_reached[graph.ref_targets[pairs]]]
    wanted: Counter[tuple[int, int]] = Counter()
    for pair in pairs.tolist():
        named = _KEY.search(graph.label(pair))
        if named:
            wanted[int(named[1]), int(graph.ref_targets[pair])] += 1
    if not wanted:
        return pairs[:0]
    order = np.argsort(graph.addresses, kind="stable")
    found: list[int] = []
    for (key_id, value), count in wanted.items():
        row = int(np.searchsorted(graph.addresses, np.uint64(key_id), sorter=order))
        if row == len(order) or int(graph.addresses[order[row]]) != key_id:
            continue
        held = [
            ref
            for ref in graph.references(int(order[row]))
            if int(graph.ref_targets[ref]) == value
            and graph.kind(ref) == Kind.ELEMENT
            and graph.label(ref) == WEAK_MAP_VALUE
        ]
        # A key that is in two maps with one value refers to it twice.
        found += held[:count]
    return np.array(sorted(found), np.uint32)
