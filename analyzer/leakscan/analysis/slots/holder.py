"""The old object at which growth accumulates: how it is called, how much it grew, what bounds it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.heap.graph import Location
from leakscan.heap.kinds import ObjectFlag
from leakscan.heap.v8_names import INTERNAL_SCRIPTS

Bools = npt.NDArray[np.bool_]

_ENFORCED: Final = frozenset(
    (
        "collections.deque",
        "functools._lru_cache_wrapper",
        "queue.Queue",
        "queue.LifoQueue",
        "queue.PriorityQueue",
        "asyncio.queues.Queue",
        "asyncio.queues.LifoQueue",
        "asyncio.queues.PriorityQueue",
        "cachetools.Cache",
        "cachetools.FIFOCache",
        "cachetools.LFUCache",
        "cachetools.LRUCache",
        "cachetools.MRUCache",
        "cachetools.RRCache",
        "cachetools.TLRUCache",
        "cachetools.TTLCache",
        "sqlalchemy.util._collections.LRUCache",
    )
)
"""Types whose bound the runtime or the library keeps; any other is a number that may or may not be obeyed.

cachetools 3 to 8: `Cache.__setitem__` throws out what is too much before it puts anything in. SQLAlchemy 1.3
to 2.1: `_manage_size` throws out the oldest when there is half as much again."""
_NO_BOUND: Final = 2**31 - 1
"""As large a number as fits says that there is none: `multiprocessing.Queue()` has SEM_VALUE_MAX."""


def is_container(type_name: str) -> bool:
    return type_name.rpartition(".")[2] in (
        "dict", "list", "set", "deque", "OrderedDict", "defaultdict", "Counter", "WeakValueDictionary",
        "WeakKeyDictionary", "WeakSet", "Map", "Set", "Array",
    )  # fmt: skip


def bound_of(names: SlotNames, obj: int) -> tuple[int | None, bool]:
    """The bound seen on the object or on what owns it, and whether the runtime keeps it."""
    for owner in names.owners_of(obj):
        bound = names.graph.bounds.get(owner)
        if bound is not None and bound < _NO_BOUND:
            return bound, names.graph.type_name(owner) in _ENFORCED
    return None, False


def place_of(names: SlotNames, obj: int, ref: int | None = None) -> Location | None:
    """Where the slot is made that `ref` is in, or that `obj` lies in; of V8 the function that owns it."""
    if names.graph.runtime != "v8":
        return names.lines.line_of_object(obj) if ref is None else names.lines.line_of(ref)
    owners = names.owners_of(obj)
    for owner in owners:
        place = names.graph.location_of(owner)
        # Where Node makes its `Module` objects says nothing of what one of them exports.
        if place is not None and not (
            names.graph.type_name(owner) == "Module" and place.file.startswith(INTERNAL_SCRIPTS)
        ):
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
