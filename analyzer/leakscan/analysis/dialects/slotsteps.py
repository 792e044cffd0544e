"""How one reference is written as a step of a cut pattern, and which ones a reader need not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leakscan.analysis.dialects.named_steps import attribute_step, property_step
from leakscan.analysis.dialects.pattern_text import quoted
from leakscan.analysis.dialects.slots_v8 import CELL, CELLS, REACTION, REGISTERED, leads_to_reaction
from leakscan.analysis.graph.refs import source_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import NO_OBJECT, Kind, ObjectFlag


@dataclass(frozen=True)
class SlotSteps:
    """`parent_ref` is the cheapest way to each object, `numbered` what counted names share."""

    graph: HeapGraph
    parent_ref: U32
    numbered: Mapping[int, str]

    def is_silent(self, ref: int) -> bool:
        """Whether a pattern passes this reference without a word."""
        return not self.step(ref, every=False)

    def numbered_step(self, ref: int) -> str:
        """`.handler_*` for a name that was made by counting, and for the name itself; "" for any other."""
        kind = self.graph.kind(ref)
        is_name = kind == Kind.ATTRIBUTE or (
            kind in (Kind.KEY_STR, Kind.KEY) and self._is_namespace(source_of(self.graph, ref))
        )
        shared = self.numbered.get(int(self.graph.ref_labels[ref]), "") if is_name else ""
        return f".{shared}" if shared.replace("*", "_").isidentifier() else ""

    def step(self, ref: int, *, every: bool) -> str:
        """How this reference is written after its source; "" for those a reader need not see."""
        graph = self.graph
        kind, source = graph.kind(ref), source_of(graph, ref)
        if graph.runtime == "v8":
            return self._v8_step(ref, kind, every=every)
        match kind:
            case Kind.ATTRIBUTE | Kind.AWAIT | Kind.MACHINERY:
                return attribute_step(graph.label(ref))
            case Kind.SLOT:
                return self._slot_step(ref)
            case Kind.KEY_STR if self._is_namespace(source):
                return attribute_step(graph.label(ref))
            case Kind.DICT:
                return ""
            case Kind.TYPE:
                return ".__class__"
            case Kind.KEY_STR | Kind.KEY | Kind.KEY_INT | Kind.INDEX | Kind.KEY_OTHER | Kind.MEMBER if every:
                return self._every(source)
            case Kind.KEY_STR | Kind.KEY:
                return f"[{quoted(graph.label(ref))}]"
            case Kind.KEY_INT:
                return f"[{graph.label(ref)}]"
            case Kind.INDEX:
                return "" if self._is_closure(source) else f"[{graph.label(ref)}]"
            case Kind.KEY_OTHER:
                return f"[<{graph.label(ref)}>]"
            case Kind.MEMBER:
                return "{*}"
            case Kind.LOCAL:
                return f" local {quoted(graph.label(ref))}"
            case Kind.CLOSURE:
                return f" closure {quoted(graph.label(ref))}"
            case Kind.STACK:
                return " value stack"
            case Kind.ELEMENT:
                return "[*]" if every else graph.label(ref)
            case _:
                return "<unnamed>"

    def _v8_step(self, ref: int, kind: Kind, *, every: bool) -> str:
        graph = self.graph
        match kind:
            case Kind.DICT | Kind.INTERNAL | Kind.MACHINERY:
                return ""
            case Kind.SLOT if leads_to_reaction(graph, ref):
                return "" if graph.type_name(source_of(graph, ref)) == REACTION else ".then()"
            case Kind.SLOT if graph.type_name(source_of(graph, ref)) == REACTION:
                return ""
            case Kind.SLOT if graph.label(ref) == CELLS:
                is_first = graph.type_name(source_of(graph, ref)) != CELL
                return REGISTERED if is_first else ""
            case Kind.ATTRIBUTE | Kind.SLOT:
                return property_step(graph.label(ref))
            case Kind.MEMBER:
                return ".has(*)"
            case Kind.KEY if graph.type_name(source_of(graph, ref)) != "Map":
                return "[*]" if every else f"[{quoted(graph.label(ref))}]"
            case Kind.KEY_STR | Kind.KEY_INT | Kind.KEY_OTHER | Kind.KEY if every:
                return ".get(*)"
            case Kind.KEY_STR:
                return f".get({quoted(graph.label(ref))})"
            case Kind.KEY_INT:
                return f".get({graph.label(ref)})"
            case Kind.KEY_OTHER:
                return f".get(<{graph.label(ref)}>)"
            case Kind.KEY:
                return f" key {quoted(graph.label(ref))}"
            case Kind.INDEX:
                return "[*]" if every else f"[{graph.label(ref)}]"
            case Kind.CLOSURE:
                return f" closure {quoted(graph.label(ref))}"
            case Kind.STACK:
                return " local [*]" if every else f" local [{graph.label(ref)}]"
            case Kind.ELEMENT:
                return graph.label(ref)
            case _:
                return "<unnamed>"

    def _every(self, source: int) -> str:
        return "" if self._is_closure(source) else "[*]"

    def _slot_step(self, ref: int) -> str:
        label = self.graph.label(ref)
        if label == "__closure__":
            return ""
        if label == "cell_contents":
            cell = source_of(self.graph, ref)
            return f" closure {quoted(self.graph.name_of(cell) or '?')}"
        return f".{label}"

    def _is_namespace(self, obj: int) -> bool:
        """A dict that is the `__dict__` of what refers to it, or an object that is its own namespace."""
        if self.graph.type_name(obj) == "module" or int(self.graph.flags[obj]) & ObjectFlag.TYPE:
            return True
        ref = int(self.parent_ref[obj])
        return ref != NO_OBJECT and self.graph.kind(ref) == Kind.DICT

    def _is_closure(self, obj: int) -> bool:
        ref, graph = int(self.parent_ref[obj]), self.graph
        return ref != NO_OBJECT and graph.kind(ref) == Kind.SLOT and graph.label(ref) == "__closure__"
