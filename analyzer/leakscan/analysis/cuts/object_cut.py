"""The cut for one object that grows: the references to it, where there is no new object to cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from leakscan.analysis.cuts.whatif import freed_by
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.refs import distinct, source_of
from leakscan.analysis.results.findings import Cut, CutMember
from leakscan.analysis.slots.holder import place_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import ObjectFlag

_MOST: Final = 8
"""Ways to one object, beyond which no cut is proposed: each is measured by a walk of its own."""


def cut_of_object(graph: HeapGraph, life: Liveness, names: SlotNames, obj: int) -> Cut | None:
    """The slots that hold `obj` and free it when they go; None when something that has no slot holds it.

    Slots that the others do without are left out. O(n + m) for each slot.
    """
    slots = _slots_to(graph, life, names, obj)
    if not 0 < len(slots) <= _MOST or not _freed(graph, life, list(slots.values()))[obj]:
        return None
    kept = dict(slots)
    for pattern in reversed(slots):
        others = [refs for name, refs in kept.items() if name != pattern]
        if others and _freed(graph, life, others)[obj]:
            del kept[pattern]
    together = _freed(graph, life, list(kept.values()))
    members = [_member(graph, life, names, pattern, refs, obj) for pattern, refs in kept.items()]
    members.sort(key=lambda member: (-member.frees_alone, member.pattern))
    return Cut(
        members=tuple(members),
        frees=1,
        of=1,
        frees_bytes=int(graph.sizes[together].sum(dtype=np.uint64)),
        is_minimal=len(members) == 1 or len(members) == len(slots),
    )


def _slots_to(graph: HeapGraph, life: Liveness, names: SlotNames, obj: int) -> dict[str, U32]:
    refs = np.flatnonzero((graph.ref_targets == obj) & ~life.weak)
    slots: dict[str, U32] = {}
    for ref in refs.tolist():
        source = source_of(graph, ref)
        if source == obj or not life.is_live[source] or int(graph.flags[source]) & ObjectFlag.OWN:
            continue
        pattern = names.slot_pattern(ref, every=False)
        known = slots.get(pattern, np.zeros(0, np.uint32))
        slots[pattern] = distinct(np.append(known, np.uint32(ref)))
    return slots


def _member(
    graph: HeapGraph, life: Liveness, names: SlotNames, pattern: str, refs: U32, obj: int
) -> CutMember:
    freed = _freed(graph, life, [refs])
    place = place_of(names, source_of(graph, int(refs[0])), int(refs[0]))
    return CutMember(
        pattern=pattern,
        reference_count=len(refs),
        frees_alone=int(freed[obj]),
        frees_alone_bytes=int(graph.sizes[freed].sum(dtype=np.uint64)),
        # The object itself is older than the runs, and what the cut is for.
        frees_old=0,
        file=place.file if place else "",
        line=place.line if place else 0,
    )


def _freed(graph: HeapGraph, life: Liveness, slots: Sequence[U32]) -> np.typing.NDArray[np.bool_]:
    return freed_by(graph, life, distinct(np.concatenate(slots)), np.zeros(0, np.uint32))
