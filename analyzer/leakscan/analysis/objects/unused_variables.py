"""Variables that a scope of JavaScript keeps although no function that lives can use them.

V8 keeps the variables of one scope together: a closure that uses one of them keeps all. A variable is called
unused when every function that has the scope was found in its source and none has the variable's name in it.
Where a source is not known, or `eval` or `with` is used, or something else than functions has the scope,
nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.dialects.js_text import names_used
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.objects.heap import Heap
from leakscan.heap.kinds import Kind
from leakscan.heap.v8_names import is_machinery

SCOPE: Final = "system / Context"
"""The type of what holds a scope's variables."""
_FUNCTION: Final = "Function"
_IDENTIFIER: Final = re.compile(r"(?!(?:this|arguments)$)[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*")
_MOST_SCOPES: Final = 20_000
_MOST_FUNCTIONS: Final = 2_000
"""That have one scope; more are not looked at one by one."""
_DEEPEST: Final = 50

ReadScript = Callable[[str], str | None]
"""The text of a script by its name, as it was compiled; None when it is not known."""


@dataclass(frozen=True, slots=True)
class Unused:
    """A variable that scopes keep and no function that lives can use; `object` is the scope that keeps most.

    `kept_by` are the functions that have these scopes. `retained_bytes` are what would go with the variable.
    """

    variable: str
    kept_by: tuple[str, ...]
    file: str
    line: int
    scopes: int
    retained_bytes: int
    scope: int
    value: int


class UnusedVariables:
    """What can be said about the scopes of one V8 heap; `read` gives the sources."""

    def __init__(self, heap: Heap, read: ReadScript) -> None:
        self._heap, self._read = heap, read
        self._sources: dict[str, str | None] = {}
        self._names: dict[tuple[int, int, int], frozenset[str] | None] = {}
        self._used: dict[frozenset[int], frozenset[str] | None] = {}

    def is_unused(self, ref: int) -> bool:
        """Whether that reference is a variable of a scope that no living function can use."""
        graph = self._heap.graph
        if graph.runtime != "v8" or graph.kind(ref) != Kind.CLOSURE:
            return False
        scope = source_of(graph, ref)
        return self._is_scope(scope) and self._is_told_unused(scope, graph.label(ref))

    def all(self) -> tuple[Unused, ...]:
        """By variable and place, those that keep most first; of the scopes that retain most."""
        heap = self._heap
        graph = heap.graph
        if graph.runtime != "v8":
            return ()
        rows = [row for row, name in enumerate(graph.type_names) if name == SCOPE]
        scopes = np.flatnonzero(np.isin(graph.type_ids, rows) & (heap.dominance.idom != NO))
        found: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
        for scope in heap.biggest(scopes.astype(np.uint32), _MOST_SCOPES).tolist():
            for ref, variable in self._variables(scope):
                value = int(graph.ref_targets[ref])
                # What others keep as well would not go with it.
                if int(heap.dominance.idom[value]) != scope:
                    continue
                if self._is_told_unused(scope, variable):
                    row = (int(heap.retained[value]), scope, value)
                    found.setdefault((variable, self._shape(scope)), []).append(row)
        told = [self._told(variable, kept) for (variable, _), kept in found.items()]
        return tuple(sorted(told, key=lambda row: (-row.retained_bytes, row.variable, row.scope)))

    def _told(self, variable: str, kept: list[tuple[int, int, int]]) -> Unused:
        graph = self._heap.graph
        _, scope, value = max(kept, key=lambda row: (row[0], -row[1]))
        functions = sorted(self._functions_of(scope) or ())
        places = [place for function in functions if (place := graph.location_of(function)) is not None]
        first = min(places, key=lambda place: (place.file, place.line)) if places else None
        names = dict.fromkeys(graph.name_of(function) or "(anonymous)" for function in functions)
        return Unused(
            variable,
            tuple(list(names)[:4]),
            first.file if first else "",
            first.line if first else 0,
            len(kept),
            sum(row[0] for row in kept),
            scope,
            value,
        )

    def _variables(self, scope: int) -> Iterator[tuple[int, str]]:
        graph = self._heap.graph
        for ref in graph.references(scope):
            if graph.kind(ref) == Kind.CLOSURE and _IDENTIFIER.fullmatch(label := graph.label(ref)):
                yield ref, label

    def _shape(self, scope: int) -> int:
        """What scopes made by the same code have in common: their description."""
        graph = self._heap.graph
        for ref in graph.references(scope):
            if graph.kind(ref) == Kind.INTERNAL and graph.label(ref) == "scope_info":
                return int(graph.ref_targets[ref])
        return -1

    def _is_scope(self, obj: int) -> bool:
        return self._heap.graph.type_name(obj) == SCOPE

    def _is_told_unused(self, scope: int, variable: str) -> bool:
        if not _IDENTIFIER.fullmatch(variable):
            return False
        functions = self._functions_of(scope)
        if not functions:
            return False
        places = frozenset(self._place_of.get(function, -1) for function in functions)
        if places not in self._used:
            self._used[places] = self._used_at(places)
        used = self._used[places]
        return used is not None and variable not in used

    def _used_at(self, places: frozenset[int]) -> frozenset[str] | None:
        used: set[str] = set()
        for at in places:
            names = None if at < 0 else self._names_at(at)
            if names is None:
                return None
            used |= names
        return frozenset(used)

    def _names_at(self, at: int) -> frozenset[str] | None:
        graph = self._heap.graph
        script, line, column = (int(value) for value in graph.script_places[at, 1:])
        key = (script, line, column)
        if key not in self._names:
            source = self._source(graph.strings[script])
            self._names[key] = None if source is None else names_used(source, line, column)
        return self._names[key]

    def _source(self, script: str) -> str | None:
        if script not in self._sources:
            self._sources[script] = self._read(script)
        return self._sources[script]

    @cached_property
    def _place_of(self) -> dict[int, int]:
        """function -> its row of `script_places`; those of one place share the first row."""
        places = self._heap.graph.script_places
        _, first, rows = np.unique(places[:, 1:], axis=0, return_index=True, return_inverse=True)
        return dict(zip(places[:, 0].tolist(), first[rows.ravel()].tolist(), strict=True))

    def _functions_of(self, scope: int) -> set[int] | None:
        """The functions that can see into the scope, by scopes within it; None when something else can."""
        functions: set[int] = set()
        waiting, seen = [(scope, 0)], {scope}
        while waiting:
            at, depth = waiting.pop()
            for source, kind in self._holders(at):
                if source < 0 or depth > _DEEPEST or len(functions) > _MOST_FUNCTIONS:
                    return None
                if kind == _FUNCTION:
                    functions.add(source)
                elif source not in seen:
                    seen.add(source)
                    waiting.append((source, depth + 1))
        return functions

    def _holders(self, scope: int) -> Iterator[tuple[int, str]]:
        """(function or inner scope, its type); -1 for whatever else holds the scope."""
        heap = self._heap
        graph, incoming = heap.graph, heap.incoming
        if scope in self._anchors:
            yield -1, ""
        span = slice(int(incoming.first[scope]), int(incoming.first[scope + 1]))
        for ref, source in zip(incoming.refs[span].tolist(), incoming.sources[span].tolist(), strict=True):
            if heap.life.weak[ref] or int(heap.dominance.idom[source]) == NO:
                continue
            name = graph.type_name(source)
            if is_machinery(name):
                continue
            is_own = graph.kind(ref) == Kind.DICT
            if is_own and name in (_FUNCTION, SCOPE):
                yield source, name
            elif (function := self._suspended(source)) >= 0:
                yield function, _FUNCTION
            else:
                yield -1, ""

    def _suspended(self, obj: int) -> int:
        """The function of a generator or an async function under way; -1 when it is none."""
        graph = self._heap.graph
        for ref in graph.references(obj):
            if graph.kind(ref) == Kind.SLOT and graph.label(ref) == "[[GeneratorFunction]]":
                return int(graph.ref_targets[ref])
        return -1

    @cached_property
    def _anchors(self) -> frozenset[int]:
        return frozenset(self._heap.life.anchors.tolist())
