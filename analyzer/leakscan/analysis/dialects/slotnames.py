"""How a reference slot is written: by the object that a developer knows it from, as cut patterns read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.dialects.functions import FUNCTIONS, code_place
from leakscan.analysis.dialects.handles_v8 import PARSER, handle_names
from leakscan.analysis.dialects.pattern_text import quoted
from leakscan.analysis.dialects.patterns import is_in_trie
from leakscan.analysis.dialects.slots_v8 import (
    INNARDS,
    REQUIRED,
    as_written,
    is_link,
    is_program_function,
    list_of_node,
    required,
)
from leakscan.analysis.dialects.slotsteps import SlotSteps
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import module_places, source_of, type_rows
from leakscan.analysis.lines.sourcelines import ReadSource, SourceLines
from leakscan.heap import v8_names
from leakscan.heap.graph import U8, U32, HeapGraph, Location
from leakscan.heap.kinds import NO_OBJECT, Kind, ObjectFlag, RootKind

_THREAD_LOCAL_TYPES: Final = frozenset(("_thread._localdummy", "_thread._local", "threading.local"))
_IN_THREAD_LOCAL: Final = (Kind.UNNAMED, Kind.KEY_OTHER, Kind.SLOT, Kind.DICT)
_LONGEST_CLIMB: Final = 24
_PROCESS: Final = "process"
"""The type of Node's object of that name, which is a getter of the global object."""
_LONGEST_CHAIN: Final = 10_000


@dataclass(frozen=True)
class SlotNames:
    """Writes labels and patterns for the references of one snapshot.

    `type_tiers` is one number for each row of the type table (`modules.Tier`); `parent_ref` the
    cheapest way to each object from the roots (kernels.shortest_paths), NO_OBJECT at a root. `numbered`
    says what counted names share (`Reach.numbered`).
    """

    graph: HeapGraph
    type_tiers: U8
    parent_ref: U32
    numbered: Mapping[int, str] = field(default_factory=dict)
    read_source: ReadSource | None = None

    @cached_property
    def steps(self) -> SlotSteps:
        return SlotSteps(self.graph, self.parent_ref, self.numbered)

    @cached_property
    def lines(self) -> SourceLines:
        """Where the slots are made in the source; nowhere without `read_source`."""
        return SourceLines(self.graph, self.parent_ref, self.read_source)

    def holder_label(self, obj: int) -> str:
        """The slot that holds this object: `Workflow._runs`, `app.registry.CACHE`, `f closure 'seen'`.

        An object that has a name itself (a class, a module, an instance of a known class) is its own slot.
        """
        return self._written(self._climb(obj, ""))

    def is_known_itself(self, obj: int) -> bool:
        """Whether it has a name of its own, so that nothing needs to be said of what holds it."""
        return bool(self._head(obj))

    def slot_pattern(self, ref: int, *, every: bool) -> str:
        """The pattern that names this reference; with `every`, all entries of its container."""
        kind = self.graph.kind(ref)
        if kind == Kind.CONTEXT or (kind == Kind.KEY and is_in_trie(self.graph, ref)):
            return f"context variable {quoted(self.graph.label(ref))}"
        if self.graph.runtime == "v8" and (listed := list_of_node(self.graph, ref)):
            return f"{listed}[*]"
        source = source_of(self.graph, ref)
        if self.graph.type_name(source) == PARSER and source in self._open:
            return f"{self._open[source]}[*]"
        step = self.steps.numbered_step(ref) or self.steps.step(ref, every=every)
        held_by = int(self.parent_ref[source])
        if kind == Kind.TYPE and self.graph.runtime == "cpython" and held_by != NO_OBJECT:
            # The class it was given is new: the object is known from what holds it.
            source, step = source_of(self.graph, held_by), self.steps.step(held_by, every=False) + step
        if self.graph.runtime == "v8" and is_link(self.graph, ref):
            # A list is known from what holds its first link, not from the class of its links.
            held_by = int(self.parent_ref[self._start_of_chain(source)])
            if held_by != NO_OBJECT:
                source, step = source_of(self.graph, held_by), self.steps.step(held_by, every=False) + step
        return self._written(self._climb(source, step))

    def any_name_pattern(self, source: int) -> str:
        """The pattern of all names of one object that is used as a map: `Registry.*`."""
        is_v8 = self.graph.runtime == "v8"
        return self._written(self._climb(source, "[*]" if is_v8 else ".*"))

    def is_counted(self, ref: int) -> bool:
        """Whether the name of this reference was made by counting: `handler_17`."""
        return bool(self.steps.numbered_step(ref))

    def code_of(self, obj: int) -> Location | None:
        """Where the code begins of the function that a slot of this object is known from, None for others."""
        return code_place(self.graph, self.owners_of(obj)[-1])

    def told_apart(self, pattern: str, obj: int, *, by_module: bool) -> str:
        """The pattern of a slot of `obj` with the module of its function, or with what holds the function."""
        function = self.owners_of(obj)[-1]
        head, place = self._head(function), code_place(self.graph, function)
        if place is None or not pattern.startswith(head):
            return pattern
        rest = pattern[len(head) :]
        module = next((name for name, found in self.module_places.items() if found.file == place.file), "")
        if by_module:
            return f"{module}.{head}{rest}" if module else pattern
        ref = int(self.parent_ref[function])
        if ref == NO_OBJECT:
            return pattern
        return self._climb(source_of(self.graph, ref), self.steps.step(ref, every=False) + rest)

    def owners_of(self, obj: int) -> list[int]:
        """`obj` and what holds it, up to and with the object that it is known from."""
        chain = [obj]
        while not self._head(chain[-1]) and len(chain) < _LONGEST_CLIMB:
            ref = int(self.parent_ref[chain[-1]])
            if ref == NO_OBJECT:
                break
            chain.append(source_of(self.graph, ref))
        return chain

    def _climb(self, obj: int, steps: str) -> str:
        graph = self.graph
        # The nearest instance of a library's class, for when no application code is above it.
        fallback = ""
        for _ in range(_LONGEST_CLIMB):
            if head := self._head(obj):
                # The module that runs the scenario keeps the loop: nobody knows it from there.
                return fallback if fallback and self._is_own_module(obj) else head + steps
            if not fallback and self._is_instance(obj):
                fallback = self._class_name(obj) + steps
            ref = int(self.parent_ref[obj])
            if ref == NO_OBJECT:
                return fallback or self._root_head(obj) + steps
            kind = graph.kind(ref)
            if kind == Kind.CONTEXT:
                return f"context variable {quoted(graph.label(ref))}{steps}"
            source = source_of(graph, ref)
            if kind in (Kind.KEY_STR, Kind.ATTRIBUTE) and self._in_thread_local(source):
                return f"thread local {quoted(graph.label(ref))}{steps}"
            obj, steps = source, self.steps.step(ref, every=False) + steps
            if graph.runtime == "v8":
                obj = self._start_of_chain(obj)
        return fallback or f"{graph.type_name(obj)}{steps}"

    def _start_of_chain(self, obj: int) -> int:
        """The first link of the chain that this object is a link of: one way to say where it hangs."""
        for _ in range(_LONGEST_CHAIN):
            ref = int(self.parent_ref[obj])
            if ref == NO_OBJECT or not is_link(self.graph, ref):
                break
            obj = source_of(self.graph, ref)
        return obj

    def _head(self, obj: int) -> str:
        """What a reader calls this object, "" when it is better known from what holds it."""
        graph = self.graph
        if graph.runtime == "v8" and (obj in self._globals or is_program_function(graph, obj)):
            name = graph.name_of(obj) or ""
            if obj not in self._globals:
                return self._dotted(name)
            return f"module {quoted(name)}" if name else v8_names.GLOBAL
        if int(graph.flags[obj]) & ObjectFlag.TYPE:
            return self._dotted(self._class_of_type(obj) or graph.name_of(obj) or "")
        if graph.runtime == "v8" and obj in self._required:
            return REQUIRED
        type_name = graph.type_name(obj)
        if type_name == "module":
            return graph.name_of(obj) or ""
        if type_name in FUNCTIONS:
            return self._dotted(graph.name_of(obj) or "")
        if graph.runtime == "v8" and type_name == _PROCESS:
            return type_name
        if int(self.type_tiers[int(graph.type_ids[obj])]) == Tier.APPLICATION:
            return "" if graph.runtime == "v8" and type_name in INNARDS else self._class_name(obj)
        return ""

    @cached_property
    def _open(self) -> dict[int, str]:
        return {int(self.graph.roots.targets[row]): handle for row, handle in self.handles.items()}

    @cached_property
    def _required(self) -> frozenset[int]:
        return frozenset(required(self.graph).tolist())

    @cached_property
    def _globals(self) -> frozenset[int]:
        roots = self.graph.roots
        return frozenset(roots.targets[roots.kinds == RootKind.MODULE].tolist())

    def _is_own_module(self, obj: int) -> bool:
        place = self.graph.location_of(obj) if self.graph.type_name(obj) == "module" else None
        return place is not None and "/leakscan/record/" in place.file

    def _is_instance(self, obj: int) -> bool:
        """An object of a class that somebody wrote in Python, though not in this application."""
        name = self.graph.type_name(obj)
        if self.graph.runtime == "v8":
            tier = int(self.type_tiers[int(self.graph.type_ids[obj])])
            return tier == Tier.LIBRARY and name not in INNARDS
        return "." in name and not name.startswith(("collections.", "functools.", "_thread."))

    def _class_of_type(self, obj: int) -> str:
        row = self._type_rows.get(obj)
        return "" if row is None else self._short(row)

    def row_of_class(self, obj: int) -> int | None:
        """Row of the type table that this object defines, None when it is no type that was seen."""
        return self._type_rows.get(obj)

    @cached_property
    def module_places(self) -> dict[str, Location]:
        """The file of each module that the roots name."""
        return module_places(self.graph)

    @cached_property
    def _type_rows(self) -> dict[int, int]:
        return type_rows(self.graph)

    def _class_name(self, obj: int) -> str:
        return self._short(int(self.graph.type_ids[obj]))

    def _short(self, row: int) -> str:
        """The qualified name without its module, or with it when another class could be meant as well."""
        bare = self.graph.strings[int(self.graph.types.names[row])]
        tiers = self.type_tiers
        # A class of the standard library that nobody thinks of does not make the program's own ambiguous.
        shared = sum(
            tiers[other] <= tiers[row] for other in self._rows_by_last_name.get(bare.rpartition(".")[2], ())
        )
        return self._dotted(bare if shared == 1 else self.graph.type_names[row])

    @cached_property
    def _rows_by_last_name(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, full in enumerate(self.graph.type_names):
            rows.setdefault(full.rpartition(".")[2], []).append(row)
        return rows

    def _dotted(self, name: str) -> str:
        if not name:
            return ""
        plain = all(
            part.isidentifier() or (part[0], part[-1]) == ("<", ">") for part in name.split(".") if part
        )
        return name if plain and "" not in name.split(".") else f"type {quoted(name)}"

    def _in_thread_local(self, obj: int) -> bool:
        """A namespace of a thread local: the local leads to it through a table with a row for each thread."""
        for _ in range(3):
            if self.graph.type_name(obj) in _THREAD_LOCAL_TYPES:
                return True
            ref = int(self.parent_ref[obj])
            if ref == NO_OBJECT or self.graph.kind(ref) not in _IN_THREAD_LOCAL:
                return False
            obj = source_of(self.graph, ref)
        return False

    def _root_head(self, obj: int) -> str:
        for row in np.flatnonzero(self.graph.roots.targets == obj).tolist():
            if self.graph.root_kind(row) != RootKind.MODULE:
                return self.root_pattern(row)
        return self._dotted(self.graph.type_name(obj))

    def root_pattern(self, row: int) -> str:
        """How a root is written; of Node's handles, what is open."""
        handle = self.handles.get(row)
        return f"{handle}[*]" if handle else f"root {quoted(self.graph.root_label(row))}"

    @cached_property
    def handles(self) -> dict[int, str]:
        """Rows of the root table that Node has open, by what they are called."""
        return handle_names(self.graph)

    def _written(self, text: str) -> str:
        return as_written(text) if self.graph.runtime == "v8" else text
