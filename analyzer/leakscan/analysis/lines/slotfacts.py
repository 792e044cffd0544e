"""What the heap says of a slot that its line in the source can be found by: whose it is, and its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.graph.refs import kinds_of, module_places, order_of, source_of, type_rows
from leakscan.heap.graph import U32, HeapGraph, Location
from leakscan.heap.kinds import NO_OBJECT, Kind, ObjectFlag, RootKind

_NAMES: Final = (Kind.KEY_STR, Kind.ATTRIBUTE, Kind.SLOT)
_ENTRIES: Final = (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER, Kind.KEY, Kind.INDEX, Kind.MEMBER)
_OF_CONTAINERS: Final = (Kind.KEY, Kind.KEY_INT, Kind.KEY_OTHER, Kind.INDEX, Kind.MEMBER)
_NESTED: Final = frozenset(
    ("dict", "list", "set", "collections.deque", "collections.defaultdict", "collections.OrderedDict")
)
_CODE: Final = ("__code__", "f_code", "gi_code", "cr_code", "ag_code")
_FUNCTION_TABLES: Final = ("__defaults__", "__kwdefaults__", "__closure__")
_CACHED: Final = "functools._lru_cache_wrapper"
_LONGEST_CLIMB: Final = 24
_SLICE: Final = 64
_CODED: Final = ("function", "generator", "coroutine", "async_generator", "frame", "<frame>")


class Owner(Enum):
    """Whose a slot is."""

    MODULE = auto()
    CLASS = auto()
    INSTANCE = auto()
    FUNCTION = auto()
    """an attribute of the function object"""
    LOCAL = auto()
    CLOSURE = auto()
    DEFAULT = auto()
    CACHE = auto()
    """what `functools.lru_cache` keeps for a function"""


@dataclass(frozen=True, slots=True)
class Definition:
    """A module (no `qualname`), class or function. `line`: where its code, or a method's, begins; or 0."""

    file: str
    qualname: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class NamedSlot:
    """A named slot. `definitions`: its owner, for an instance its class and the bases in their order.

    `type_name` is what lies in the slot, "" for anything. `is_complete` is false when a class among the bases
    was written nobody knows where. `position` counts among default arguments.
    """

    owner: Owner
    name: str
    type_name: str
    definitions: tuple[Definition, ...]
    is_complete: bool = True
    position: int | None = None


@dataclass(frozen=True)
class SlotReader:
    """Reads the facts off one CPython snapshot. `parent_ref`: the cheapest way to each object."""

    graph: HeapGraph
    parent_ref: U32

    def facts_of(self, ref: int) -> Iterator[NamedSlot]:
        """The slot that this reference is in, and then what that slot lies in, as far as names lead."""
        graph = self.graph
        source = source_of(graph, ref)
        is_entry = graph.kind(ref) in _ENTRIES and not self._is_namespace(source) and not self._is_table(ref)
        start = self._parent(source) if is_entry else ref
        yield from self._climb(start)

    def facts_of_object(self, obj: int) -> Iterator[NamedSlot]:
        """The slot in which this object lies."""
        yield from self._climb(self._parent(obj))

    def _climb(self, ref: int | None) -> Iterator[NamedSlot]:
        graph = self.graph
        for _ in range(_LONGEST_CLIMB):
            if ref is None:
                return
            facts, owner = self._named(ref)
            if facts is not None:
                yield facts
                if facts.owner not in (Owner.INSTANCE, Owner.CACHE):
                    return
            elif graph.type_name(source_of(graph, ref)) not in _NESTED:
                return
            ref = self._parent(owner)

    def _named(self, ref: int) -> tuple[NamedSlot | None, int]:
        """The slot of this reference when it has a name, and the object that owns it."""
        graph = self.graph
        kind, source, label = graph.kind(ref), source_of(graph, ref), graph.label(ref)
        held = graph.type_name(int(graph.ref_targets[ref]))
        if kind == Kind.LOCAL:
            return self._of_function(Owner.LOCAL, source, label, held), source
        if kind == Kind.SLOT and graph.type_name(source) == "cell":
            return self._of_cell(source, held), source
        if kind == Kind.SLOT and graph.type_name(source) == _CACHED:
            return self._of_cache(source, label), source
        if self._is_table(ref):
            return self._of_default(ref, held), source
        if kind not in _NAMES:
            return None, source
        owner = self._namespace_owner(source)
        if owner is None:
            return None, source
        return self._of_owner(owner, label, held), owner

    def _of_owner(self, owner: int, name: str, held: str) -> NamedSlot | None:
        graph = self.graph
        type_name = graph.type_name(owner)
        if type_name == "module":
            place = graph.location_of(owner)
            if place is None:
                return None
            return NamedSlot(Owner.MODULE, name, held, (Definition(place.file, ""),))
        if int(graph.flags[owner]) & ObjectFlag.TYPE:
            found = self._definition(owner)
            return None if found is None else NamedSlot(Owner.CLASS, name, held, (found,))
        if type_name == "function":
            return self._of_function(Owner.FUNCTION, owner, name, held)
        cls = int(graph.types.objects[int(graph.type_ids[owner])])
        if cls == NO_OBJECT:
            return None
        classes = [one for one in order_of(graph, cls) if self._is_written(one)]
        definitions = [self._definition(one) for one in classes]
        known = tuple(one for one in definitions if one is not None)
        return NamedSlot(Owner.INSTANCE, name, held, known, len(known) == len(definitions)) if known else None

    def _of_function(self, owner: Owner, obj: int, name: str, held: str) -> NamedSlot | None:
        found = self._code_of(obj)
        return None if found is None else NamedSlot(owner, name, held, (found,))

    def _of_cell(self, cell: int, held: str) -> NamedSlot | None:
        """A closure's cell, by the function whose it is; or a local that functions inside share."""
        graph, ref = self.graph, self._parent(cell)
        if ref is None:
            return None
        if graph.kind(ref) == Kind.LOCAL:
            return self._of_function(Owner.LOCAL, source_of(graph, ref), graph.label(ref), held)
        function = self._table_owner(source_of(graph, ref))
        name = graph.name_of(cell) or ""
        if function is None or not name:
            return None
        return self._of_function(Owner.CLOSURE, function, name, held)

    def _of_cache(self, wrapper: int, label: str) -> NamedSlot | None:
        if label != "cache":
            return None
        for ref in self._refs(wrapper):
            target = int(self.graph.ref_targets[ref])
            if self.graph.type_name(target) == "function":
                return self._of_function(Owner.CACHE, target, "", "")
        return None

    def _of_default(self, ref: int, held: str) -> NamedSlot | None:
        graph, source = self.graph, source_of(self.graph, ref)
        function, parent = self._table_owner(source), self._parent(source)
        if function is None or parent is None or (found := self._code_of(function)) is None:
            return None
        match graph.label(parent), graph.kind(ref):
            case "__defaults__", Kind.INDEX:
                return NamedSlot(Owner.DEFAULT, "", held, (found,), position=int(graph.ref_labels[ref]))
            case "__kwdefaults__", Kind.KEY_STR:
                return NamedSlot(Owner.DEFAULT, graph.label(ref), held, (found,))
            case _:
                return None

    def _is_table(self, ref: int) -> bool:
        """Whether it leads out of the defaults or the closure of a function."""
        return self._table_owner(source_of(self.graph, ref)) is not None

    def _table_owner(self, obj: int) -> int | None:
        ref = self._parent(obj)
        if ref is None or self.graph.kind(ref) != Kind.SLOT:
            return None
        return source_of(self.graph, ref) if self.graph.label(ref) in _FUNCTION_TABLES else None

    def _is_namespace(self, obj: int) -> bool:
        return self._namespace_owner(obj) is not None and not self._is_plain_container(obj)

    def _namespace_owner(self, obj: int) -> int | None:
        """The object whose names these are: of a `__dict__` its owner, of anything but containers itself."""
        graph, ref = self.graph, self._parent(obj)
        if ref is not None and graph.kind(ref) == Kind.DICT:
            return source_of(graph, ref)
        if ref is not None and graph.kind(ref) == Kind.SLOT and graph.label(ref) == "__globals__":
            return self._module_of(obj)
        return None if self._is_plain_container(obj) else obj

    def _is_plain_container(self, obj: int) -> bool:
        """An object with entries, which are no names: their keys come from data."""
        graph = self.graph
        ref = self._parent(obj)
        if ref is not None and graph.kind(ref) == Kind.DICT:
            return False
        if graph.type_name(obj) in (*_NESTED, "tuple", "frozenset", "collections.Counter", "mappingproxy"):
            return True
        # A subclass of a container has attributes and entries.
        return bool(
            np.isin(kinds_of(graph, self._some_refs(obj)), (Kind.KEY, Kind.KEY_INT, Kind.INDEX)).any()
        )

    def _module_of(self, namespace: int) -> int | None:
        graph = self.graph
        roots = graph.roots.targets[graph.roots.kinds == RootKind.MODULE].tolist()
        for module in roots:
            if any(
                graph.kind(ref) == Kind.DICT and int(graph.ref_targets[ref]) == namespace
                for ref in self._refs(module)
            ):
                return int(module)
        return None

    def _is_written(self, cls: int) -> bool:
        """Whether it has source at all; builtins do not, and bind no names on instances."""
        row = self._rows.get(cls)
        return row is None or self.graph.strings[int(self.graph.types.modules[row])] not in ("", "builtins")

    def _definition(self, cls: int) -> Definition | None:
        """The file of a class: that of its own methods, or else of its module."""
        graph, row = self.graph, self._rows.get(cls)
        if row is None:
            return None
        qualname = graph.strings[int(graph.types.names[row])]
        for ref in self._attributes(cls):
            found = self._code_of(int(graph.ref_targets[ref]))
            # A method made by a decorator is another file's function.
            if found is not None and found.qualname.startswith(f"{qualname}."):
                return Definition(found.file, qualname, found.line)
        place = self._module_places.get(graph.strings[int(graph.types.modules[row])])
        return None if place is None else Definition(place.file, qualname)

    def _code_of(self, obj: int) -> Definition | None:
        """The function, frame or coroutine's code: its file, name and first line."""
        graph = self.graph
        if graph.type_name(obj) not in _CODED:
            return None
        for ref in self._refs(obj):
            if graph.label(ref) in _CODE:
                code = int(graph.ref_targets[ref])
                place = graph.location_of(code)
                if place is not None:
                    return Definition(place.file, graph.name_of(code) or "", place.line)
        return None

    def _attributes(self, cls: int) -> list[int]:
        graph, refs = self.graph, []
        for ref in self._refs(cls):
            if graph.kind(ref) == Kind.DICT:
                refs += self._refs(int(graph.ref_targets[ref]))
            elif graph.kind(ref) in _NAMES:
                refs.append(ref)
        return [ref for ref in refs if graph.kind(ref) in _NAMES]

    def _refs(self, obj: int) -> list[int]:
        return list(self.graph.references(obj))

    def _some_refs(self, obj: int) -> U32:
        # A container may have millions of entries, and they are alike.
        return np.array(self.graph.references(obj)[:_SLICE], np.uint32)

    def _parent(self, obj: int) -> int | None:
        ref = int(self.parent_ref[obj])
        return None if ref == NO_OBJECT else ref

    @cached_property
    def _rows(self) -> dict[int, int]:
        return type_rows(self.graph)

    @cached_property
    def _module_places(self) -> dict[str, Location]:
        return module_places(self.graph)
