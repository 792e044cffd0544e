"""Which objects of the last snapshot were born after the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U16, U32, U64, HeapGraph
from leakscan.heap.kinds import BIRTH_OWN, BIRTH_UNKNOWN, NO_OBJECT, ObjectFlag

Mask = npt.NDArray[np.bool_]

BY_BIRTH: Final = "births"
BY_NODE_ID: Final = "node id"
BY_ADDRESS: Final = "address, approximate"

_TYPE_BITS: Final = 20
_ALIGNMENT_BITS: Final = 4


@dataclass(frozen=True, slots=True)
class Survivors:
    """The new objects of a snapshot.

    `is_new` has one item for each object of the snapshot; `objects` are the numbers of the new ones,
    ascending, and `births` the runs they were born in, in the same order (0: not known).
    """

    is_new: Mask
    objects: U32
    births: U16
    identity: str

    def __len__(self) -> int:
        return len(self.objects)

    def births_of(self, objects: U32) -> U16:
        """Birth runs of some of the new objects."""
        found: U16 = self.births[np.searchsorted(self.objects, objects)]
        return found


def find_survivors(before: HeapGraph, after: HeapGraph) -> Survivors:
    """The objects of `after` that were not there in `before`; leakscan's own are never among them.

    A running frame is never new: it is a root, and what its locals hold is what a reader asks about.
    """
    excluded = (after.flags & (ObjectFlag.OWN | ObjectFlag.SYNTHETIC)) != 0
    if after.runtime == "v8":
        # V8 counts in odd ids. Even ones are an embedder's, and Node 18 and 20 make them from addresses,
        # larger than any count: such nodes are never taken for new.
        is_counted = (after.addresses & np.uint64(1)) == 1
        counted = before.addresses[(before.addresses & np.uint64(1)) == 1]
        newest = int(counted.max()) if len(counted) else 0
        return _survivors(is_counted & (after.addresses > newest), excluded, after, identity=BY_NODE_ID)
    births = after.births
    is_dated = (births > 0) & (births < BIRTH_OWN)
    excluded |= births == BIRTH_OWN
    # A free list hands a block out again without asking the allocator, so the block keeps its old
    # birth: an object whose place held something else, or nothing, in the baseline is new as well.
    undated = np.flatnonzero(~is_dated & ~excluded)
    is_new = is_dated
    is_new[undated[~_was_there(before, after, undated)]] = True
    identity = BY_BIRTH if after.has_births else BY_ADDRESS
    return _survivors(is_new, excluded, after, identity=identity)


def _survivors(is_new: Mask, excluded: Mask, after: HeapGraph, *, identity: str) -> Survivors:
    is_new &= ~excluded
    objects = np.flatnonzero(is_new).astype(np.uint32)
    births = after.births[objects]
    births[births >= min(BIRTH_OWN, BIRTH_UNKNOWN)] = 0
    return Survivors(is_new, objects, births, identity)


def _was_there(before: HeapGraph, after: HeapGraph, objects: npt.NDArray[np.intp]) -> Mask:
    """Whether an object of the same type was at the same address in `before`."""
    type_rows = _shared_type_rows(before, after)
    known = np.sort(_identity_keys(before.addresses, type_rows[before.type_ids]))
    asked = _identity_keys(after.addresses[objects], after.type_ids[objects])
    if not len(known):
        return np.zeros(len(asked), np.bool_)
    # Sorted questions walk the table once instead of missing the cache for each of them.
    order = np.argsort(asked)
    positions = np.searchsorted(known, asked[order])
    found = np.empty(len(asked), np.bool_)
    found[order] = known[np.minimum(positions, len(known) - 1)] == asked[order]
    return found


def _identity_keys(addresses: U64, type_rows: U32) -> U64:
    """Address and type in one number: objects are at least 16 bytes apart and addresses have 57 bits."""
    keys: U64 = ((addresses >> np.uint64(_ALIGNMENT_BITS)) << np.uint64(_TYPE_BITS)) ^ type_rows
    return keys


def _shared_type_rows(before: HeapGraph, after: HeapGraph) -> U32:
    """For each type row of `before` its row in `after`, or a number that is no row there."""
    rows = {key: row for row, key in enumerate(_type_keys(after))}
    missing = (1 << _TYPE_BITS) - 1
    return np.array([rows.get(key, missing) for key in _type_keys(before)], np.uint32)


def _type_keys(graph: HeapGraph) -> list[tuple[str, int]]:
    # The name too: the address of a type that died may have been given to another type.
    homes = [0 if obj == NO_OBJECT else int(graph.addresses[obj]) for obj in graph.types.objects.tolist()]
    return list(zip(graph.type_names, homes, strict=True))
