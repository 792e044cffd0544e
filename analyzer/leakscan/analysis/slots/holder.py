"""The old object at which growth accumulates: how it is called, how much it grew, what bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.refs import kinds_of, refs_from
from leakscan.analysis.results.findings import Holder
from leakscan.heap.graph import HeapGraph, Location
from leakscan.heap.kinds import Kind, ObjectFlag

Bools = npt.NDArray[np.bool_]

_ENTRY_KINDS: Final = (
    Kind.KEY_STR,
    Kind.KEY_INT,
    Kind.KEY_OTHER,
    Kind.INDEX,
    Kind.MEMBER,
    Kind.ELEMENT,
    Kind.EPHEMERON,
)
_ENFORCED: Final = frozenset(("collections.deque", "functools._lru_cache_wrapper"))
"""Types whose bound the runtime keeps; any other is a number that the program may or may not obey."""


@dataclass(frozen=True, slots=True)
class HolderFacts:
    """A holder, and what the verdict needs to know of it beyond what is reported."""

    holder: Holder
    entries_new: int
    bound_is_enforced: bool


def find_holder(
    before: HeapGraph | None, names: SlotNames, obj: int, *, new_entries: int, ref: int | None = None
) -> HolderFacts:
    """What is known of the old object `obj` (of the snapshot of `names`), which holds `new_entries` new ones.

    `ref` is one of the references to them, by which the line of their slot is found.
    `before` is the snapshot before the runs: the same object there is the one at the same address and
    of the same type. Entries are counted in containers only; elsewhere they are the references to new
    objects, and `entries_before` is None.
    """
    graph = names.graph
    entries = count_entries(graph, obj)
    entries_before = None
    if entries is not None and before is not None:
        earlier = same_object(before, graph, obj)
        entries_before = None if earlier is None else count_entries(before, earlier)
    bound, enforced = _bound(names, obj)
    place = place_of(names, obj, ref)
    holder = Holder(
        label=names.holder_label(obj),
        type_name=graph.type_name(obj),
        entries_before=entries_before,
        entries_after=new_entries if entries is None else entries,
        bound=bound,
        file=place.file if place else "",
        line=place.line if place else 0,
    )
    return HolderFacts(holder, new_entries, enforced)


def count_entries(graph: HeapGraph, obj: int) -> int | None:
    """Entries of a container; None for an object that has attributes instead."""
    refs = refs_from(graph, np.array([obj], np.uint32))
    kinds = kinds_of(graph, refs)
    entries = int(np.isin(kinds, _ENTRY_KINDS).sum())
    # An empty container has only its type, so the name has to tell it from an object without attributes.
    return entries if entries or _is_container(graph.type_name(obj)) else None


def _is_container(type_name: str) -> bool:
    return type_name.rpartition(".")[2] in (
        "dict", "list", "set", "deque", "OrderedDict", "defaultdict", "Counter", "WeakValueDictionary",
        "WeakKeyDictionary", "WeakSet", "Map", "Set", "Array",
    )  # fmt: skip


def same_object(before: HeapGraph, after: HeapGraph, obj: int) -> int | None:
    """The object of `before` that was at the same address and had a type of the same name."""
    found = np.flatnonzero(before.addresses == after.addresses[obj])
    for earlier in found.tolist():
        if before.type_name(earlier) == after.type_name(obj):
            return int(earlier)
    return None


def _bound(names: SlotNames, obj: int) -> tuple[int | None, bool]:
    """The bound seen on the object or on what owns it, and whether the runtime keeps it."""
    for owner in names.owners_of(obj):
        bound = names.graph.bounds.get(owner)
        if bound is not None:
            return bound, names.graph.type_name(owner) in _ENFORCED
    return None, False


def place_of(names: SlotNames, obj: int, ref: int | None = None) -> Location | None:
    """Where the slot is made that `ref` is in, or that `obj` lies in; of V8 the function that owns it."""
    if names.graph.runtime != "v8":
        return names.lines.line_of_object(obj) if ref is None else names.lines.line_of(ref)
    owners = names.owners_of(obj)
    for owner in owners:
        place = names.graph.location_of(owner)
        if place is not None:
            return place
    return _module_place(names, owners[-1])


def _module_place(names: SlotNames, obj: int) -> Location | None:
    """The module that a class without methods was written in."""
    row = _class_row(names, obj)
    module = "" if row is None else names.graph.strings[int(names.graph.types.modules[row])]
    return names.module_places.get(module)


def _class_row(names: SlotNames, obj: int) -> int | None:
    """Row of the type table of the class that `obj` is, or is an instance of."""
    graph = names.graph
    is_type = int(graph.flags[obj]) & ObjectFlag.TYPE
    return names.row_of_class(obj) if is_type else int(graph.type_ids[obj])
