"""Whether an object of one snapshot is the one that was there in an earlier snapshot of the same process.

An address alone does not tell: it is given out again, for 16 to 78 % of leaked objects. The type at it
makes chance smaller, and neighbours at the same addresses smaller still.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import sources_of
from leakscan.heap.graph import U32, U64, HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, KIND_MASK, NO_OBJECT, Kind, TypeFlag

Mask = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.intp]

_TYPE_BITS: Final = 20
_ALIGNMENT_BITS: Final = 4
_FEW_HOLDERS: Final = 4
"""A neighbour that many objects hold (None, a small number, a shared name) says nothing about one of them."""
_ODD: Final = 0x9E3779B97F4A7C15
_AT_ONCE: Final = 1 << 20
"""Questions that are sorted together: what a question needs for the moment is four times what it answers."""


def known_by_place(before: HeapGraph, after: HeapGraph, objects: Objects) -> Mask:
    """Which of these objects of `after` have the address and the type of an object of `before`."""
    rows_before, rows_after = _shared_type_rows(before, after)
    known = _place_keys(before.addresses, rows_before[before.type_ids])
    known.sort()
    found = np.empty(len(objects), np.bool_)
    for start in range(0, len(objects), _AT_ONCE):
        part = objects[start : start + _AT_ONCE]
        found[start : start + len(part)] = _found(
            _place_keys(after.addresses[part], rows_after[after.type_ids[part]]), known
        )
    return found


def known_by_block(before: HeapGraph, after: HeapGraph, objects: Objects) -> Mask:
    """Which of these were at their address before and have another class since (`obj.__class__ = New`).

    Only objects of classes, and modules, can change theirs (`object_set_class` of CPython 3.11-3.15), and
    none of them comes out of a free list, so that a birth from before the runs is theirs.
    """
    can_change = can_change_class(after)[after.type_ids[objects]]
    asked = np.flatnonzero(can_change & (after.births[objects] == BIRTH_BASELINE))
    found = np.zeros(len(objects), np.bool_)
    if after.has_births and len(asked):
        there = before.addresses[can_change_class(before)[before.type_ids]]
        found[asked] = np.isin(after.addresses[objects[asked]], there)
    return found


def can_change_class(graph: HeapGraph) -> Mask:
    """For each row of the type table whether its objects may be given another class."""
    can = np.array([name == "module" for name in graph.type_names], np.bool_)
    can |= (graph.types.flags & np.uint8(TypeFlag.HEAP)) != 0
    return can


def known_by_neighbours(before: HeapGraph, after: HeapGraph, objects: Objects) -> Mask:
    """Which of these objects of `after` have a neighbour that an object at their address had in `before`.

    A holder at the same address, or something of their own at the same address that few others hold; a
    root counts as a holder. Objects without any neighbour are taken for known. O(m log m).
    """
    known = np.sort(_pair_keys(before, np.arange(before.reference_count, dtype=np.uint32)))
    asked = np.zeros(after.object_count, np.bool_)
    asked[objects] = True
    into = np.flatnonzero(asked[after.ref_targets]).astype(np.uint32)
    kinds = after.ref_kinds & np.uint8(KIND_MASK)
    is_private = (after.refcounts[after.ref_targets] <= _FEW_HOLDERS) & (kinds != Kind.TYPE)
    out = np.flatnonzero(is_private).astype(np.uint32)
    out = out[asked[sources_of(after, out)]]
    same = np.zeros(after.object_count, np.bool_)
    same[after.ref_targets[into[_found(_pair_keys(after, into), known)]]] = True
    same[sources_of(after, out[_found(_pair_keys(after, out), known)])] = True
    same[after.roots.targets] = True
    has_neighbour = np.zeros(after.object_count, np.bool_)
    has_neighbour[after.ref_targets[into]] = True
    has_neighbour[sources_of(after, out)] = True
    return same[objects] | ~has_neighbour[objects]


def _found(asked: U64, known: U64) -> Mask:
    """Which of the asked keys are among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(asked), np.bool_)
    # Sorted questions walk the table once instead of missing the cache for each of them.
    order = np.argsort(asked)
    positions = np.searchsorted(known, asked[order])
    found = np.empty(len(asked), np.bool_)
    found[order] = known[np.minimum(positions, len(known) - 1)] == asked[order]
    return found


def _pair_keys(graph: HeapGraph, refs: U32) -> U64:
    """Address of the source and of the target of each reference, mixed into one number."""
    sources = graph.addresses[sources_of(graph, refs)]
    targets = graph.addresses[graph.ref_targets[refs]]
    keys: U64 = (sources * np.uint64(_ODD)) ^ targets
    return keys


def _place_keys(addresses: U64, type_rows: U32) -> U64:
    """Address and type in one number: objects are at least 16 bytes apart and addresses have 57 bits."""
    keys: U64 = addresses >> np.uint64(_ALIGNMENT_BITS)
    keys <<= np.uint64(_TYPE_BITS)
    keys ^= type_rows
    return keys


def _shared_type_rows(before: HeapGraph, after: HeapGraph) -> tuple[U32, U32]:
    """A number for each type row of either: the same for the same type, the last one for types of `before`
    that are none of `after`. Two rows of one name without an object of their own are not told apart."""
    numbers: dict[tuple[str, int], int] = {}
    of_after = [numbers.setdefault(key, len(numbers)) for key in _type_keys(after)]
    missing = (1 << _TYPE_BITS) - 1
    of_before = [numbers.get(key, missing) for key in _type_keys(before)]
    return np.array(of_before, np.uint32), np.array(of_after, np.uint32)


def _type_keys(graph: HeapGraph) -> list[tuple[str, int]]:
    # The name too: the address of a type that died may have been given to another type.
    homes = [0 if obj == NO_OBJECT else int(graph.addresses[obj]) for obj in graph.types.objects.tolist()]
    return list(zip(graph.type_names, homes, strict=True))
