"""Finds the slots of a snapshot: what one line of the program fills.

What is written alike is one slot: the lists in `Session.history` of all old sessions are filled by one
line. Names that come from data are entries: new properties of one old object with values of one kind
(`Registry.plugin_17`, `sys.modules['x']`) are one slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.dialects.pattern_text import quoted
from leakscan.analysis.dialects.patterns import are_tries
from leakscan.analysis.dialects.segment import normalised
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.dialects.slots_v8 import is_hash_table, spelled_alike
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct, kinds_of, refs_with_sources
from leakscan.analysis.slots.joined import together, told_apart
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.analysis.slots.slot import Slot, SlotKind, SlotTable
from leakscan.analysis.slots.timers import CANCELLED_TIMERS, cancelled_timers
from leakscan.analysis.slots.variables import made_from_data
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind, ObjectFlag, RootKind

Bools = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.intp]

_KEYED: Final = (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER)
DATA_KINDS: Final = frozenset((*_KEYED, Kind.KEY, Kind.INDEX, Kind.MEMBER, Kind.STACK))
"""Kinds whose label is data of the program, not a name in its source."""
_NAMED: Final = (Kind.ATTRIBUTE, Kind.SLOT, Kind.KEY_STR)
_FEWEST_PROPERTIES: Final = 8
"""New names on one old object that make it an object used as a map. Fewer were typed by somebody."""
_FEWEST_EVENTS: Final = 3
"""New names on one old object that were given in as many different runs: nobody types that."""
_OF_ONE_KIND: Final = 0.8
_MOST_WRITTEN: Final = 4_000
"""Containers that are looked at one by one; with more, those below one name of one class are alike."""


def find_slots(earlier: Earlier, reach: Reach, new: NewGraph, names: SlotNames) -> SlotTable:
    """Every way from old to new, as slots. O(f log f) in these references, and a look at each holder."""
    graph = reach.graph
    is_held = new.local[graph.ref_targets[reach.frontier]] != NO
    refs, sources = reach.frontier[is_held], reach.frontier_sources[is_held]
    slots = [
        *_named_slots(earlier, reach, names, refs, sources),
        *_root_slots(reach, new),
    ]
    slots = together(told_apart(slots, names))
    objects = [new.local[graph.ref_targets[slot.refs]] for slot in slots]
    rooted = [new.local[reach.root_targets[slot.rows]] for slot in slots]
    counts = [len(one) + len(other) for one, other in zip(objects, rooted, strict=True)]
    pairs = [part for both in zip(objects, rooted, strict=True) for part in both]
    return SlotTable(
        tuple(slots),
        np.concatenate(pairs).astype(np.uint32) if pairs else np.zeros(0, np.uint32),
        np.repeat(np.arange(len(slots), dtype=np.uint32), counts),
        np.concatenate(
            [part for slot in slots for part in (slot.refs, np.full(len(slot.rows), NO, np.uint32))]
            or [np.zeros(0, np.uint32)]
        ).astype(np.uint32),
    )


def _named_slots(earlier: Earlier, reach: Reach, names: SlotNames, refs: U32, sources: U32) -> list[Slot]:
    if not len(refs):
        return []
    graph = reach.graph
    kinds = kinds_of(graph, refs)
    is_entry = np.isin(kinds, list(DATA_KINDS)) & ~reach.is_namespace[sources]
    # Of a context's trie the variables have names, which their objects are the keys of.
    is_entry &= ~(are_tries(graph, sources) & (kinds == Kind.KEY))
    is_property = _new_properties(earlier, reach, refs, sources, kinds, is_entry)
    is_property |= spelled_alike(graph, refs, sources, ~is_entry)
    is_cancelled = cancelled_timers(reach, refs)
    is_variable, variables = made_from_data(reach, refs)
    group = _alike(reach, refs, sources, kinds, is_entry, is_property)
    group = 2 * group + is_cancelled
    group[is_variable] = group.max() + 1
    # The cheapest reference speaks for the others.
    costs = reach.paths.distance[sources].astype(np.int64) + reach.costs[refs]
    order = np.lexsort((refs, costs, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    parts = np.split(order, starts[1:])
    single = [part[0] for part in parts if len(part) == 1 and is_entry[part[0]]]
    earlier.look_up(sources[single].astype(np.uint32))
    slots = []
    for part in parts:
        first = int(part[0])
        ref, source = int(refs[first]), int(sources[first])
        every = bool(is_entry[first]) and not (len(part) == 1 and _was_there(earlier, reach, ref, source))
        if is_cancelled[first]:
            pattern = names.slot_pattern(ref, every=True) + CANCELLED_TIMERS
        elif is_variable[first]:
            pattern = variables
        elif is_property[first]:
            pattern = names.any_name_pattern(source)
        else:
            pattern = names.slot_pattern(ref, every=every)
        is_many = every or bool(is_property[first] or is_variable[first]) or names.is_counted(ref)
        slots.append(
            Slot(
                pattern,
                SlotKind.ENTRIES if is_many else SlotKind.NAME,
                np.sort(refs[part]),
                np.zeros(0, np.uint32),
                source,
                distinct(sources[part]),
                int(graph.ref_labels[ref]),
                int(costs[first]),
            )
        )
    return slots


def _alike(
    reach: Reach, refs: U32, sources: U32, kinds: npt.NDArray[np.uint8], is_entry: Bools, is_property: Bools
) -> Indexes:
    """A number for each reference, the same for those that are certainly written alike."""
    graph = reach.graph
    label = graph.ref_labels[refs].astype(np.uint64)
    label[is_entry | is_property | np.isin(kinds, (Kind.DICT, Kind.TYPE, Kind.UNNAMED, Kind.INDEX))] = NO
    kind = kinds.astype(np.uint64)
    kind[is_entry | is_property] = 255
    owner, is_class = _owners(reach, sources)
    # The class that an object was given says nothing about where the object lies.
    owner = np.where(is_class & ~(is_entry | is_property) & (kinds != Kind.TYPE), owner, sources)
    # The number of a class is negative, so that its upper half covers the kind: an attribute of its objects
    # is one, whether it lies inside of them or in a `__dict__`.
    keys = (kind << np.uint64(32)) | owner.astype(np.uint64)
    keys = np.unique(keys, return_inverse=True)[1].astype(np.uint64)
    keys = (keys << np.uint64(32)) | label
    found, group = np.unique(keys, return_inverse=True)
    if len(found) > _MOST_WRITTEN:
        return _alike_by_class(reach, refs, sources, kind, label)
    return group.astype(np.intp)


def _owners(reach: Reach, sources: U32) -> tuple[npt.NDArray[np.int64], Bools]:
    """(number of the class, whether it is one that somebody wrote) for each of these holders.

    The `__dict__` of an instance belongs to its class; so do the values that lie inline.
    """
    graph = reach.graph
    obj = sources.copy()
    parent = reach.paths.parent_ref[obj]
    in_dict = reach.is_namespace[obj] & (parent != NO)
    in_dict[in_dict] = kinds_of(graph, parent[in_dict]) == Kind.DICT
    obj[in_dict] = (
        np.searchsorted(graph.first_ref, parent[in_dict].astype(np.uint64), side="right") - 1
    ).astype(np.uint32)
    types = graph.type_ids[obj].astype(np.int64)
    is_class = reach.modules.type_tiers[types] <= Tier.LIBRARY
    is_class &= (graph.flags[obj] & np.uint8(ObjectFlag.TYPE)) == 0
    return -1 - types, is_class


def _alike_by_class(
    reach: Reach, refs: U32, sources: U32, kind: npt.NDArray[np.uint64], label: npt.NDArray[np.uint64]
) -> Indexes:
    """Too many holders to look at each: alike are those below one name of one class."""
    graph = reach.graph
    above = reach.paths.parent_ref[sources]
    columns: list[npt.NDArray[np.int64]] = [kind.astype(np.int64), label.astype(np.int64)]
    columns.append(graph.type_ids[sources].astype(np.int64))
    has_parent = above != NO
    for values in (graph.ref_labels, graph.ref_kinds):
        column = np.full(len(refs), -1, np.int64)
        column[has_parent] = values[above[has_parent]]
        columns.append(column)
    is_data = has_parent.copy()
    is_data[has_parent] = np.isin(kinds_of(graph, above[has_parent]), list(DATA_KINDS))
    columns[3][is_data] = -2
    group = np.zeros(len(refs), np.int64)
    for column in columns:
        _, numbers = np.unique(column, return_inverse=True)
        _, group = np.unique((group << 32) | numbers, return_inverse=True)
    return group.astype(np.intp)


def _was_there(earlier: Earlier, reach: Reach, ref: int, source: int) -> bool:
    """Whether the key of this entry was in the container before the runs: a name, with a new value."""
    graph = reach.graph
    kind = graph.kind(ref)
    known = earlier.of(source) if kind in _KEYED else None
    if known is None:
        return False
    before, label = earlier.before, graph.label(ref)
    return any(
        before.kind(other) == kind and before.label(other) == label for other in before.references(known)
    )


def _new_properties(
    earlier: Earlier,
    reach: Reach,
    refs: U32,
    sources: U32,
    kinds: npt.NDArray[np.uint8],
    is_entry: Bools,
) -> Bools:
    """Names that one old object did not have before the runs, with values of one kind."""
    graph = reach.graph
    found = np.zeros(len(refs), np.bool_)
    is_name = ~is_entry & np.isin(kinds, _NAMED) & ~np.isin(graph.ref_labels[refs], list(reach.numbered))
    named = np.flatnonzero(is_name)
    named = named[np.argsort(sources[named], kind="stable")]
    parts = np.split(named, np.flatnonzero(np.diff(sources[named])) + 1)
    parts = [part for part in parts if len(part) >= _FEWEST_EVENTS]
    earlier.look_up(np.array([sources[part[0]] for part in parts], np.uint32))
    known = [earlier.of(int(sources[part[0]])) for part in parts]
    names = {label: graph.strings[label] for label in distinct(graph.ref_labels[refs[named]]).tolist()}
    had = _names_held(earlier.before, [obj for obj in known if obj is not None], frozenset(names.values()))
    for mine, there in zip(parts, known, strict=True):
        if there is None:
            continue
        holder = int(sources[mine[0]])
        labels = graph.ref_labels[refs[mine]].tolist()
        fresh = mine[[names[label] not in had[there] for label in labels]]
        values = graph.ref_targets[refs[fresh]]
        births = distinct(reach.survivors.births_of(values[reach.survivors.is_new[values]]))
        if len(fresh) < _FEWEST_PROPERTIES and len(births[births > 0]) < _FEWEST_EVENTS:
            continue
        types = graph.type_ids[values]
        if (graph.runtime == "v8" and is_hash_table(graph, holder)) or (
            len(fresh) and np.bincount(types).max() >= _OF_ONE_KIND * len(fresh)
        ):
            found[fresh] = True
    return found


def _names_held(graph: HeapGraph, objects: Sequence[int], asked: frozenset[str]) -> dict[int, set[str]]:
    """Which of the asked names each of these objects holds something by. One pass over their references."""
    found: dict[int, set[str]] = {obj: set() for obj in objects}
    refs, owners = refs_with_sources(graph, np.array(list(found), np.uint32))
    is_name = np.isin(kinds_of(graph, refs), _NAMED)
    labels, owners = graph.ref_labels[refs[is_name]], owners[is_name]
    texts = {label: graph.strings[label] for label in distinct(labels).tolist()}
    for owner, label in zip(owners.tolist(), labels.tolist(), strict=True):
        if texts[label] in asked:
            found[owner].add(texts[label])
    return found


_UNRELATED: Final = (RootKind.HELD_FROM_C, RootKind.UNCOLLECTED_CYCLE, RootKind.STATIC_TYPE)
_FIXED_MEMORY: Final = "C variable of "


def _root_slots(reach: Reach, new: NewGraph) -> list[Slot]:
    """What roots hold directly: one slot for each name, and where the name says nothing for each type."""
    graph, handles = reach.graph, reach.handles
    groups: dict[tuple[object, ...], list[int]] = {}
    open_now = [row for row in handles if reach.is_held[reach.root_targets[row]]]
    for row in distinct(np.concatenate((new.root_rows, np.array(open_now, np.uint32)))).tolist():
        kind, label = reach.root_kinds[row], normalised(reach.root_labels[row])
        target = int(reach.root_targets[row])
        key: tuple[object, ...] = (kind, label)
        if row in handles:
            key = (handles[row],)
        elif kind in _UNRELATED or label.startswith(_FIXED_MEMORY):
            key = (kind, label, int(graph.type_ids[target]), _keys_of(reach, target))
        groups.setdefault(key, []).append(row)
    slots = []
    none = np.zeros(0, np.uint32)
    for rows in groups.values():
        cheapest = min(rows, key=lambda row: (int(reach.root_costs[row]), row))
        is_module = reach.root_kinds[cheapest] == RootKind.MODULE and graph.runtime == "cpython"
        pattern = "sys.modules[*]" if is_module else f"root {quoted(normalised(reach.root_labels[cheapest]))}"
        if cheapest in handles:
            pattern = f"{handles[cheapest]}[*]"
        slots.append(
            Slot(
                pattern,
                SlotKind.ENTRIES if is_module or cheapest in handles else SlotKind.ROOT,
                none,
                np.array(sorted(rows), np.uint32),
                -1,
                none,
                -1,
                int(reach.root_costs[cheapest]),
            )
        )
    return slots


def _keys_of(reach: Reach, obj: int) -> tuple[str, ...]:
    """What tells two dicts apart that nobody named: their first keys."""
    graph = reach.graph
    keys = [graph.label(ref) for ref in graph.references(obj)[:64] if graph.kind(ref) == Kind.KEY_STR]
    return tuple(sorted(set(map(normalised, keys)))[:16])
