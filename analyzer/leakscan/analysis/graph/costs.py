"""What each reference and root costs a path: the cheapest path is the one worth reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.kernels import BLOCKED, BLOCKED_ROOT
from leakscan.analysis.graph.modules import Modules, Tier
from leakscan.analysis.graph.refs import distinct, kinds_of, refs_from, refs_with_sources, strings_equal
from leakscan.heap.graph import U16, U32, HeapGraph
from leakscan.heap.kinds import BORROWED, KIND_MASK, NO_OBJECT, Kind, ObjectFlag, RootFlag, RootKind

HOP: Final = 10
DEFINING: Final = 2
"""A module global whose type, function or class belongs to that module."""
OWN_VALUE: Final = 4
"""A module global that holds a plain builtin object: nobody knows who defined it."""
DETOUR: Final = 1_000
"""True but useless: a class, a function's globals, another module."""
ENTER_NEW: Final = 8_000
"""From an old object to a new one: a path that does so once is preferred to one that does it twice."""
LAST_RESORT: Final = 60_000
"""Keeps its target alive, but is only shown where nothing else does."""
HELD_FROM_C_COST: Final = 20_000

_BY_KIND: Final = {
    Kind.UNNAMED: 60,
    Kind.ATTRIBUTE: HOP,
    Kind.SLOT: HOP,
    Kind.KEY_STR: HOP,
    Kind.KEY_INT: HOP,
    Kind.KEY_OTHER: HOP,
    Kind.KEY: 30,
    Kind.INDEX: HOP,
    Kind.MEMBER: HOP,
    Kind.DICT: 0,
    Kind.LOCAL: HOP,
    # What a statement is working on just now: a variable, even a few steps longer, is a place to look at.
    Kind.STACK: 90,
    Kind.AWAIT: 5,
    Kind.TYPE: DETOUR,
    Kind.WEAK: BLOCKED,
    Kind.CONTEXT: 20,
    Kind.MACHINERY: LAST_RESORT,
    Kind.FRAME: 5,
    Kind.INTERNAL: LAST_RESORT,
    Kind.EPHEMERON: LAST_RESORT,
    Kind.ELEMENT: HOP,
    Kind.CLOSURE: HOP,
}
_ROOT_BY_TIER: Final = {Tier.APPLICATION: 0, Tier.LIBRARY: 200, Tier.STDLIB: 400, Tier.BUILTIN: 500}
_ROOT_BY_KIND: Final = {
    RootKind.THREAD: 300,
    RootKind.INTERPRETER: 600,
    RootKind.STATIC_TYPE: 900,
    RootKind.HELD_FROM_C: HELD_FROM_C_COST,
    RootKind.UNCOLLECTED_CYCLE: HELD_FROM_C_COST,
}
# A future of 3.14 refers to the task that waits for it as well as to the callback that wakes it.
_DETOUR_SLOTS: Final = (
    "__globals__", "__builtins__", "f_globals", "f_builtins", "__module__", "_asyncio_awaited_by",
)  # fmt: skip
_DETOUR_GLOBALS: Final = ("__builtins__", "__spec__", "__loader__")
# Caches of the standard library with a limit of their own: they let go again, so that another path is
# the better explanation whenever there is one.
BOUNDED_CACHES: Final = (
    ("re", "_cache"),
    ("re", "_cache2"),
    ("linecache", "cache"),
    ("fnmatch", "_compile_pattern"),
    ("typing", "_cleanups"),
    ("typing", "_caches"),
    ("sre_compile", "_cache"),
    ("_strptime", "_regex_cache"),
    ("encodings", "_cache"),
    ("urllib.parse", "_parse_cache"),
)


def reference_costs(graph: HeapGraph, modules: Modules) -> U16:
    """Cost of every reference; BLOCKED for weak ones and those from or to leakscan's own objects."""
    by_kind = np.full(256, LAST_RESORT, np.uint16)
    for kind, cost in _BY_KIND.items():
        by_kind[kind] = cost
    # The top bit says that no count is owned: such a reference keeps nothing alive by itself.
    by_kind[BORROWED | Kind.WEAK] = BLOCKED
    costs = by_kind[graph.ref_kinds]
    slots = np.flatnonzero((graph.ref_kinds == Kind.SLOT) | (graph.ref_kinds == Kind.FRAME))
    costs[slots[_has_label(graph, slots, _DETOUR_SLOTS)]] = DETOUR
    # Every module is a root: a path that comes to one from elsewhere says nothing.
    is_module = np.zeros(graph.object_count, np.bool_)
    is_module[modules.objects] = True
    into_module = is_module[graph.ref_targets]
    costs[into_module] = np.maximum(costs[into_module], DETOUR)
    _price_module_globals(graph, modules, costs)
    is_own = (graph.flags & np.uint8(ObjectFlag.OWN)) != 0
    if is_own.any():
        costs[is_own[graph.ref_targets]] = BLOCKED
        costs[refs_from(graph, np.flatnonzero(is_own).astype(np.uint32))] = BLOCKED
    return costs


def root_costs(graph: HeapGraph, modules: Modules) -> U32:
    """Cost of starting at each root; BLOCKED_ROOT for leakscan's own."""
    costs = []
    for kind, target in zip(graph.roots.kinds.tolist(), graph.roots.targets.tolist(), strict=True):
        row = modules.rows.get(target) if kind == RootKind.MODULE else None
        costs.append(
            _ROOT_BY_KIND.get(RootKind(kind), 0) if row is None else _ROOT_BY_TIER[modules.tiers[row]]
        )
    column = np.array(costs, np.uint32)
    is_own = (graph.roots.flags & np.uint8(RootFlag.OWN)) != 0
    column[is_own | ((graph.flags[graph.roots.targets] & np.uint8(ObjectFlag.OWN)) != 0)] = BLOCKED_ROOT
    return column


def _has_label(graph: HeapGraph, refs: npt.NDArray[np.intp], names: Iterable[str]) -> npt.NDArray[np.bool_]:
    wanted = np.zeros(len(graph.strings), np.bool_)
    for name in names:
        wanted[strings_equal(graph.strings, name)] = True
    return wanted[graph.ref_labels[refs]]


def _price_module_globals(graph: HeapGraph, modules: Modules, costs: U16) -> None:
    """The module that defines an object beats those that import it, and modules do not lead to modules."""
    namespaces = np.array(sorted(modules.rows), np.uint32)
    refs, owners = refs_with_sources(graph, namespaces)
    rows = np.zeros(graph.object_count, np.int64)
    rows[namespaces] = [modules.rows[obj] for obj in namespaces.tolist()]
    rows = rows[owners]
    kinds = kinds_of(graph, refs)
    is_global = ((kinds == Kind.KEY_STR) | (kinds == Kind.ATTRIBUTE)) & (costs[refs] == HOP)
    refs, rows = refs[is_global], rows[is_global]
    homes = _home_modules(graph, modules, graph.ref_targets[refs])
    ids = {name: number for number, name in enumerate(modules.names)}
    module_ids = np.array([ids[name] for name in modules.names], np.int64)
    prices = np.full(len(refs), HOP, np.uint16)
    prices[homes == module_ids[rows]] = DEFINING
    prices[homes == _BUILTIN_HOME] = OWN_VALUE
    prices[_has_label(graph, refs.astype(np.intp), _DETOUR_GLOBALS)] = DETOUR
    for module, name in BOUNDED_CACHES:
        if module in ids:
            in_cache = (module_ids[rows] == ids[module]) & _has_label(graph, refs.astype(np.intp), (name,))
            prices[in_cache] = DETOUR
    costs[refs] = prices


_NO_HOME: Final = -1
_BUILTIN_HOME: Final = -2


def _home_modules(graph: HeapGraph, modules: Modules, objects: U32) -> npt.NDArray[np.int64]:
    """For each object the module it was defined in, as an index into `modules.names`, or a `_HOME`."""
    ids = {name: number for number, name in enumerate(modules.names)}
    by_type = np.array(
        [
            _BUILTIN_HOME if name in ("", "builtins") else ids.get(name, _NO_HOME)
            for name in modules.type_modules
        ],
        np.int64,
    )
    homes = by_type[graph.type_ids[objects]]
    # A class belongs where it was written, not where its metaclass was.
    defined = graph.types.objects != NO_OBJECT
    home_of_type = np.full(graph.object_count, _NO_HOME - 2, np.int64)
    home_of_type[graph.types.objects[defined]] = by_type[defined]
    is_type = home_of_type[objects] != _NO_HOME - 2
    homes[is_type] = home_of_type[objects][is_type]
    _place_functions(graph, modules, ids, objects, homes)
    return homes


def _place_functions(
    graph: HeapGraph, modules: Modules, ids: dict[str, int], objects: U32, homes: npt.NDArray[np.int64]
) -> None:
    """A function belongs to the module whose `__dict__` is its `__globals__`."""
    function_rows = [row for row, name in enumerate(graph.type_names) if name == "function"]
    chosen = np.flatnonzero(np.isin(graph.type_ids[objects], function_rows))
    functions = objects[chosen].astype(np.uint32)
    refs, owners = refs_with_sources(graph, distinct(functions))
    is_globals = _is_slot(graph, refs, "__globals__")
    home_of: dict[int, int] = {}
    for function, ref in zip(owners[is_globals].tolist(), refs[is_globals].tolist(), strict=True):
        row = modules.rows.get(int(graph.ref_targets[ref]))
        home_of[function] = _NO_HOME if row is None else ids[modules.names[row]]
    homes[chosen] = [home_of.get(function, _NO_HOME) for function in functions.tolist()]


def _is_slot(graph: HeapGraph, refs: U32, name: str) -> npt.NDArray[np.bool_]:
    is_slot = (graph.ref_kinds[refs] & np.uint8(KIND_MASK)) == Kind.SLOT
    found = np.zeros(len(refs), np.bool_)
    found[is_slot] = _has_label(graph, refs[is_slot].astype(np.intp), (name,))
    return found
