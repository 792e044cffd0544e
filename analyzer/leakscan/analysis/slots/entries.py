"""How much a slot grew: its entries before and after the runs, which of the old ones are still there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.births.survivors import births_of
from leakscan.analysis.dialects.handles_v8 import is_open
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.dialects.slots_v8 import CELL, LISTED, REGISTERED
from leakscan.analysis.graph.refs import distinct, kinds_of, refs_from, sources_of
from leakscan.analysis.graph.region import FIXED_MEMORY, INTERNED
from leakscan.analysis.slots.holder import bound_of, is_container
from leakscan.analysis.slots.reach import Reach
from leakscan.analysis.slots.slot import Slot, SlotKind
from leakscan.analysis.slots.variables import variables_called
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind

ENTRY_KINDS: Final = (
    Kind.KEY_STR,
    Kind.KEY_INT,
    Kind.KEY_OTHER,
    Kind.INDEX,
    Kind.MEMBER,
    Kind.ELEMENT,
    Kind.EPHEMERON,
)
_PROPERTIES: Final = (Kind.ATTRIBUTE, Kind.SLOT, Kind.KEY_STR)
_INSIDE_OR_IN_A_DICT: Final = {Kind.ATTRIBUTE, Kind.KEY_STR}
_OF_NODE: Final = {f"{name}[*]": listed[0] for name, listed in LISTED.items()}
_LOOKED_AT: Final = 400
"""Holders of a name whose former value is looked up one by one."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What was counted of one slot.

    `before` and `after` are None where nothing can be counted (a root, a holder that was not found before).
    `new` entries are new objects; the others of `after` were there before. For a name, `before` counts the
    holders whose value of the same type was replaced. `births[r]` entries were born in run r + 1 (empty:
    unknown). `bound` is a limit that is visible on the holders, all of them together.
    """

    before: int | None
    after: int | None
    new: int
    births: tuple[int, ...]
    places: int = 0
    """for a name whose holders all were there before: how many have it, each with room for one"""
    bound: int | None = None
    bound_is_enforced: bool = False
    by_type: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """(before, after, new) of the entries of each type; empty where they were not counted by type"""

    @property
    def gone(self) -> int:
        """Entries from before the runs that are no longer there, 0 when that is not known."""
        if self.before is None or self.after is None:
            return 0
        return max(0, self.before - max(0, self.after - self.new))


def count_entries(earlier: Earlier, reach: Reach, names: SlotNames, slot: Slot, *, runs: int) -> Entries:
    """The figures of one slot. O(references of its holders)."""
    graph = reach.graph
    kinds = kinds_of(graph, slot.refs)
    is_value = kinds != Kind.KEY
    values = slot.refs[is_value] if is_value.any() else slot.refs
    births = _births(reach, np.concatenate((graph.ref_targets[values], reach.root_targets[slot.rows])), runs)
    if slot.kind is SlotKind.ROOT or not len(slot.holders) or is_open(slot.pattern):
        # A word of fixed memory has room for one object.
        label = reach.root_labels[int(slot.rows[0])] if len(slot.rows) else ""
        is_fixed = label.startswith(FIXED_MEMORY) and label != INTERNED
        return Entries(None, None, len(slot.rows), births, places=len(slot.rows) if is_fixed else 0)
    if slot.pattern in _OF_NODE:
        return _in_list_of_node(earlier.before, reach, _OF_NODE[slot.pattern], runs=runs)
    if (variables := variables_called(graph, slot.pattern)) is not None:
        births = _births(reach, distinct(graph.ref_targets[slot.refs[~is_value]]), runs)
        return Entries(variables_called(earlier.before, slot.pattern), variables, sum(births), births)
    earlier.look_up(slot.holders)
    if slot.pattern.endswith(REGISTERED):
        return _registrations(earlier, reach, slot.holders, births)
    if graph.runtime == "cpython" and (kinds == Kind.UNNAMED).all():
        return _without_names(earlier, graph, slot.holders, values, births)
    if slot.kind is SlotKind.NAME:
        replaced = _replaced_values(earlier, reach, values)
        are_old = all(earlier.of(obj) is not None for obj in slot.holders.tolist())
        return Entries(replaced, len(values), len(values), births, places=len(values) if are_old else 0)
    counted: tuple[Kind, ...] = ENTRY_KINDS
    if graph.runtime == "cpython":
        counted = _PROPERTIES if _are_names(reach, slot) else ENTRY_KINDS
    elif not is_value.any():
        # Values that are small integers leave no reference: each entry of the Map is its key.
        counted = (Kind.KEY,)
    elif not np.isin(kinds, ENTRY_KINDS).any():
        counted = _PROPERTIES
    known = [found for obj in slot.holders.tolist() if (found := earlier.of(obj)) is not None]
    after = _count(graph, slot.holders, counted)
    if not known or not (after or is_container(graph.type_name(slot.holder))):
        return Entries(None, None, len(values), births)
    old = np.array(known, np.uint32)
    before = _count(earlier.before, old, counted)
    bounds = [bound_of(names, obj) for obj in slot.holders[:_LOOKED_AT].tolist()]
    bound = sum(limit for limit, _ in bounds if limit) if all(limit for limit, _ in bounds) else None
    if bound is not None:
        # Those that were looked at stand for the others.
        bound = bound * len(slot.holders) // len(bounds)
    enforced = all(is_enforced for _, is_enforced in bounds)
    by_type = _by_type(earlier.before, graph, old, slot.holders, values, counted)
    if graph.runtime == "cpython" and counted is ENTRY_KINDS and not bound and before == after:
        vacant = _vacant(earlier, graph, old, slot.holders)
        if len(old) == len(slot.holders) and vacant[0] > vacant[1]:
            filled = before - vacant[0], after - vacant[1]
            is_all = len(old) == 1  # of several, others may take part later
            return Entries(
                *filled, len(values), births, bound=after, bound_is_enforced=is_all, by_type=by_type
            )
    return Entries(
        before,
        after,
        len(values),
        births,
        bound=bound or None,
        bound_is_enforced=bool(bound) and enforced,
        by_type=by_type,
    )


def _vacant(earlier: Earlier, graph: HeapGraph, old: U32, holders: U32) -> tuple[int, int]:
    """Places made before there was anything to put there, `[None] * 64`: how many were vacant, and are now.

    They all hold the same object, the one that most entries held before.
    """
    was = earlier.before.ref_targets[_of(earlier.before, old, ENTRY_KINDS)]
    objects, counts = np.unique(was, return_counts=True)
    most = int(counts.argmax()) if len(counts) else 0
    if not len(counts) or counts[most] < 2:
        return 0, 0
    now = graph.ref_targets[_of(graph, holders, ENTRY_KINDS)]
    held = distinct(now)
    earlier.look_up(held)
    same = [obj for obj in held.tolist() if earlier.of(obj) == int(objects[most])]
    return int(counts[most]), int(np.isin(now, same).sum())


def _without_names(
    earlier: Earlier, graph: HeapGraph, holders: U32, values: U32, births: tuple[int, ...]
) -> Entries:
    """Of a C type that the walk has no names for: children of an XML element, the memo of a pickler.

    They may be any number, and are counted by the types of the new ones.
    """
    known = [found for obj in holders.tolist() if (found := earlier.of(obj)) is not None]
    if not known:
        return Entries(None, None, len(values), births)
    old = np.array(known, np.uint32)
    by_type = _by_type(earlier.before, graph, old, holders, values, (Kind.UNNAMED,))
    before, after = (sum(counts[at] for counts in by_type.values()) for at in (0, 1))
    is_one_each = len(known) == len(holders) and after <= len(holders)
    return Entries(
        before, after, len(values), births, places=len(values) if is_one_each else 0, by_type=by_type
    )


def _in_list_of_node(before: HeapGraph, reach: Reach, type_name: str, *, runs: int) -> Entries:
    """Each entry of a ring is held by the one before it: they are counted by their type."""
    listed = [
        np.flatnonzero(np.isin(graph.type_ids, [graph.type_names.index(type_name)]))
        if type_name in graph.type_names
        else np.zeros(0, np.intp)
        for graph in (before, reach.graph)
    ]
    counts = len(listed[0]), len(listed[1]), int(reach.is_held[listed[1]].sum())
    births = _births(reach, listed[1].astype(np.uint32), runs)
    return Entries(*counts, births, by_type={type_name: counts})


def _registrations(earlier: Earlier, reach: Reach, holders: U32, births: tuple[int, ...]) -> Entries:
    """Of FinalizationRegistries: each registration is held by its neighbours, and refers to its registry."""
    known = [found for obj in holders.tolist() if (found := earlier.of(obj)) is not None]
    counted = [
        _registered(graph, np.array(objects, np.uint32))
        for graph, objects in ((earlier.before, known), (reach.graph, holders.tolist()))
    ]
    new = int(reach.is_held[counted[1]].sum())
    return Entries(len(counted[0]) if known else None, len(counted[1]), new, births)


def _registered(graph: HeapGraph, holders: U32) -> U32:
    """The registrations of the registries that these lead to or are."""
    rows = [row for row, name in enumerate(graph.type_names) if name == CELL]
    cells = np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32)
    refs = refs_from(graph, cells)
    refs = refs[kinds_of(graph, refs) == Kind.SLOT]
    is_cell = np.isin(holders, cells)
    mine = refs[np.isin(sources_of(graph, refs), holders[is_cell])]
    registries = np.union1d(holders[~is_cell], np.setdiff1d(graph.ref_targets[mine], cells))
    found: U32 = np.unique(sources_of(graph, refs[np.isin(graph.ref_targets[refs], registries)]))
    return found


def _by_type(
    before: HeapGraph, graph: HeapGraph, old: U32, holders: U32, values: U32, kinds: tuple[Kind, ...]
) -> dict[str, tuple[int, int, int]]:
    new = _type_counts(graph, values)
    earlier, later = (
        _type_counts(before, _of(before, old, kinds)),
        _type_counts(graph, _of(graph, holders, kinds)),
    )
    return {name: (earlier.get(name, 0), later.get(name, 0), count) for name, count in new.items()}


def _type_counts(graph: HeapGraph, refs: U32) -> dict[str, int]:
    counts = np.bincount(graph.type_ids[graph.ref_targets[refs]], minlength=1)
    found: dict[str, int] = {}
    for row in np.flatnonzero(counts).tolist():
        name = graph.type_names[row]
        found[name] = found.get(name, 0) + int(counts[row])
    return found


def _of(graph: HeapGraph, objects: U32, kinds: tuple[Kind, ...]) -> U32:
    refs = refs_from(graph, objects)
    chosen: U32 = refs[np.isin(kinds_of(graph, refs), kinds)]
    return chosen


def _births(reach: Reach, objects: U32, runs: int) -> tuple[int, ...]:
    is_new = objects[reach.is_held[objects]]
    return births_of(reach.survivors.births_of(is_new), runs)


def _are_names(reach: Reach, slot: Slot) -> bool:
    return bool(reach.is_namespace[slot.holder]) or reach.graph.kind(int(slot.refs[0])) in (
        Kind.ATTRIBUTE,
        Kind.SLOT,
    )


def _count(graph: HeapGraph, objects: U32, kinds: tuple[Kind, ...]) -> int:
    return len(_of(graph, objects, kinds))


def _replaced_values(earlier: Earlier, reach: Reach, refs: U32) -> int | None:
    """How many of these names had a value of the same type before; None when no holder was there."""
    graph, before = reach.graph, earlier.before
    looked_at = refs[:_LOOKED_AT]
    found = replaced = 0
    for ref, source in zip(looked_at.tolist(), sources_of(graph, looked_at).tolist(), strict=True):
        known = earlier.of(source)
        if known is None:
            continue
        found += 1
        kind, label = graph.kind(ref), graph.label(ref)
        type_name = graph.type_name(int(graph.ref_targets[ref]))
        replaced += any(
            (before.kind(old) == kind or {before.kind(old), kind} == _INSIDE_OR_IN_A_DICT)
            and before.label(old) == label
            and before.type_name(int(before.ref_targets[old])) == type_name
            for old in before.references(known)
        )
    return replaced * len(refs) // len(looked_at) if found else None
