"""Whose code an object belongs to: the application, an installed library, or the standard library."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from leakscan.analysis.graph.refs import kinds_of, refs_with_sources
from leakscan.heap.graph import U8, U32, HeapGraph
from leakscan.heap.kinds import NO_OBJECT, Kind, RootKind, TypeFlag
from leakscan.heap.v8_names import OWN_TYPES


class Tier(IntEnum):
    """How telling a name is to the people who wrote the program; smaller is more."""

    APPLICATION = 0
    LIBRARY = 1
    STDLIB = 2
    BUILTIN = 3


_INSTALLED = re.compile(r"[/\\](site-packages|dist-packages|node_modules)[/\\]")
_OWN = re.compile(r"[/\\]leakscan[/\\]record[/\\]")
_TEST_RUNNER = frozenset(("pytest", "_pytest", "pluggy", "unittest", "nose2", "leakscan"))
# What V8 itself makes; everything else that has a name is a class or constructor of some program.
_V8_BUILTIN = frozenset(
    """
    Object Array Map Set WeakMap WeakSet WeakRef Function closure Promise Symbol String Number Boolean
    BigInt RegExp Date Error ArrayBuffer SharedArrayBuffer DataView Generator AsyncGenerator AsyncFunction
    native code string number symbol bigint array hidden regexp synthetic Arguments Iterator Timeout
    Immediate Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array
    BigInt64Array BigUint64Array Proxy
    """.split()  # noqa: SIM905 - a table of words, not fifty lines of quotes
)


def module_tier(name: str, file: str, stdlib: frozenset[str]) -> Tier:
    """Whose module this is, by its name and the file it came from ("" when unknown)."""
    top = name.partition(".")[0]
    if _OWN.search(file):
        # The driver is `__main__` of the captured process, and keeps its event loop: a way in, but the last.
        return Tier.BUILTIN
    if _INSTALLED.search(file) or top in _TEST_RUNNER:
        return Tier.LIBRARY
    if name == "builtins":
        return Tier.BUILTIN
    return Tier.STDLIB if top in stdlib else Tier.APPLICATION


@dataclass(frozen=True)
class Modules:
    """The modules of one snapshot: row i is module object `objects[i]` called `names[i]`.

    `rows` finds the row of a module object or of its `__dict__`.
    """

    graph: HeapGraph
    objects: U32
    names: tuple[str, ...]
    tiers: tuple[Tier, ...]
    rows: Mapping[int, int]

    @cached_property
    def tier_by_name(self) -> Mapping[str, Tier]:
        return dict(zip(self.names, self.tiers, strict=True))

    @cached_property
    def type_modules(self) -> tuple[str, ...]:
        """Module name of each type row."""
        graph = self.graph
        return tuple(graph.strings[number] for number in graph.types.modules.tolist())

    @cached_property
    def type_tiers(self) -> U8:
        """Tier of each type row."""
        if self.graph.runtime == "v8":
            return np.array([_v8_tier(self.graph, row) for row in range(len(self.graph.types))], np.uint8)
        stdlib = stdlib_modules(self.graph)
        synthetic = self.graph.types.flags & np.uint8(TypeFlag.SYNTHETIC)
        return np.array(
            [
                Tier.BUILTIN
                if is_synthetic or module in ("", "builtins")
                else self.tier_by_name.get(module, module_tier(module, "", stdlib))
                for module, is_synthetic in zip(self.type_modules, synthetic.tolist(), strict=True)
            ],
            np.uint8,
        )

    @cached_property
    def type_tier_by_name(self) -> Mapping[str, Tier]:
        """Tier of the types of each name."""
        return dict(zip(self.graph.type_names, map(Tier, self.type_tiers.tolist()), strict=True))

    def tier_of(self, obj: int) -> Tier:
        """Tier of the object's type."""
        return Tier(int(self.type_tiers[int(self.graph.type_ids[obj])]))


def find_modules(graph: HeapGraph) -> Modules:
    """The modules that are roots of the snapshot, with their dicts."""
    roots = graph.roots
    chosen = np.flatnonzero(roots.kinds == RootKind.MODULE)
    objects, first = np.unique(roots.targets[chosen], return_index=True)
    # A module may be in sys.modules under two names: the first one is its own.
    labels = [graph.strings[number] for number in roots.labels[chosen][first].tolist()]
    names = tuple(graph.name_of(obj) or label for obj, label in zip(objects.tolist(), labels, strict=True))
    rows = {obj: row for row, obj in enumerate(objects.tolist())}
    refs, owners = refs_with_sources(graph, objects)
    is_dict = kinds_of(graph, refs) == Kind.DICT
    for obj, namespace in zip(
        owners[is_dict].tolist(), graph.ref_targets[refs[is_dict]].tolist(), strict=True
    ):
        rows.setdefault(namespace, rows[obj])
    stdlib = stdlib_modules(graph)
    tiers = []
    for obj, name in zip(objects.tolist(), names, strict=True):
        place = graph.location_of(obj)
        tiers.append(module_tier(name, place.file if place else "", stdlib))
    return Modules(graph, objects.astype(np.uint32), names, tuple(tiers), rows)


def stdlib_modules(graph: HeapGraph) -> frozenset[str]:
    """Top-level modules of the standard library of the Python that was recorded."""
    if graph.runtime == "v8":
        return frozenset()
    stored = graph.meta.get("stdlib_modules")
    return frozenset(stored) if isinstance(stored, list) else sys.stdlib_module_names


def _v8_tier(graph: HeapGraph, row: int) -> Tier:
    """The reader knows a class of the program by its script; what it calls builtin may be Node's."""
    name = graph.type_names[row]
    if name.startswith(("(", "system", "Node /", "<", "{")) or not name or name in (*_V8_BUILTIN, *OWN_TYPES):
        return Tier.BUILTIN
    constructor = int(graph.types.objects[row])
    place = None if constructor == NO_OBJECT else graph.location_of(constructor)
    if place is not None and _INSTALLED.search(place.file):
        return Tier.LIBRARY
    is_foreign = graph.strings[int(graph.types.modules[row])] == "builtins"
    is_program = bool(int(graph.types.flags[row]) & TypeFlag.HEAP)
    return Tier.STDLIB if is_foreign and not is_program else Tier.APPLICATION
