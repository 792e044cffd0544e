"""Promises of a V8 heap that something waits for, and what could settle each of them.

V8 (11 to 14, Node 18 to 26) writes no state of a promise, but one that is pending has its reactions where its
result would be. It is settled by its resolving functions, whose scope has it in a slot without a name; by the
async function whose promise it is; when the promise it was made from by `then` is; or by native code that
holds it. A variable, property or entry that holds a promise settles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import kinds_of, sources_of, strings_equal
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind, RootKind
from leakscan.heap.v8_names import GENERATOR_FUNCTION, is_of_stack

REACTION: Final = "system / PromiseReaction"
HOLDS: Final = frozenset(
    (
        *(Kind.ATTRIBUTE, Kind.CLOSURE, Kind.INDEX, Kind.MEMBER, Kind.STACK, Kind.WEAK),
        *(Kind.KEY, Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER),
    )
)
"""How JavaScript holds a promise, which settles nothing."""
_SCRIPTLESS: Final = frozenset(("Object", "Array", "Map", "Set", "Function", "system / Context"))
"""Builtin types whose objects are the program's: native code keeps nothing of its own in them."""
GLOBAL: Final = "global"
"""The global object: `global`, in Node 26 `global (global*)`."""
_TO_NATIVE: Final = "javascript_to_native"


@dataclass(frozen=True, slots=True)
class Awaiting:
    """An async function or generator that is suspended: `obj`, and the promise it waits for."""

    obj: int
    promise: int


@dataclass(frozen=True)
class Promises:
    """`heads`: the first reaction of each promise that something waits for. `settlers`: objects by which it
    can be settled once they are reached. `known_to_native`: native code may settle these."""

    graph: HeapGraph
    heads: Mapping[int, int]
    settlers: Mapping[int, tuple[int, ...]]
    known_to_native: frozenset[int]

    def reactions(self, promise: int) -> list[int]:
        """All reactions of a pending promise."""
        found: dict[int, None] = {}
        work = [self.heads[promise]]
        while work:
            at = work.pop()
            if at not in found:
                found[at] = None
                work += [one for one in self.targets(at) if self.graph.type_name(one) == REACTION]
        return list(found)

    def targets(self, obj: int) -> list[int]:
        """What the object refers to, type machinery left out."""
        graph = self.graph
        return [
            int(graph.ref_targets[ref])
            for ref in graph.references(obj)
            if graph.kind(ref) not in (Kind.INTERNAL, Kind.MACHINERY)
        ]

    def awaiting(self, promise: int) -> list[Awaiting]:
        """The async functions and generators that wait for it."""
        found: dict[int, None] = {}
        for reaction in self.reactions(promise):
            for handler in self.handlers(reaction):
                for scope in self._scopes(handler):
                    for obj in self.targets(scope):
                        if self.is_suspended(obj):
                            found[obj] = None
        return [Awaiting(obj, promise) for obj in found]

    def handlers(self, reaction: int) -> list[int]:
        """The functions that a reaction calls."""
        return [one for one in self.targets(reaction) if self.graph.type_name(one) == "Function"]

    def callbacks(self, promise: int) -> list[int]:
        """Functions with a place in a script that wait for it: callbacks of `then`, `catch`, `finally`."""
        found: dict[int, None] = {}
        for reaction in self.reactions(promise):
            for handler in self.handlers(reaction):
                inside = [
                    one
                    for scope in self._scopes(handler)
                    for one in self.targets(scope)
                    if self.graph.type_name(one) == "Function"
                ]
                # `finally` wraps the program's function in two of the engine's.
                is_script = self.graph.location_of(handler) is not None
                for one in [handler] if is_script else inside:
                    if self.graph.location_of(one) is not None:
                        found[one] = None
        return list(found)

    def is_suspended(self, obj: int) -> bool:
        """Whether it is an async function or a generator under way."""
        graph = self.graph
        return any(
            graph.kind(ref) == Kind.SLOT and graph.label(ref) == GENERATOR_FUNCTION
            for ref in graph.references(obj)
        )

    def promise_of(self, suspended: int) -> int | None:
        """The promise that an async function settles when it ends."""
        graph = self.graph
        for ref in graph.references(suspended):
            if graph.kind(ref) == Kind.UNNAMED and int(graph.ref_targets[ref]) in self.heads:
                return int(graph.ref_targets[ref])
        return None

    def _scopes(self, function: int) -> list[int]:
        graph = self.graph
        return [
            int(graph.ref_targets[ref])
            for ref in graph.references(function)
            if graph.kind(ref) == Kind.DICT
            and graph.type_name(int(graph.ref_targets[ref])) == "system / Context"
        ]


def is_of_node(graph: HeapGraph) -> bool:
    """Whether the heap is Node's: what browsers keep of promises in C++ is not written down."""
    return graph.runtime == "v8" and any(name.startswith("Node / ") for name in graph.type_names)


def find_promises(graph: HeapGraph) -> Promises | None:
    """Those that something waits for. None: there are none. O(m)."""
    rows = [row for row, name in enumerate(graph.type_names) if name == REACTION]
    if not rows:
        return None
    is_reaction = np.isin(graph.type_ids, rows)
    into = np.flatnonzero(is_reaction[graph.ref_targets]).astype(np.uint32)
    sources = sources_of(graph, into)
    of_promise = ~is_reaction[sources] & (kinds_of(graph, into) == Kind.SLOT)
    heads = dict(zip(sources[of_promise].tolist(), graph.ref_targets[into[of_promise]].tolist(), strict=True))
    if not heads:
        return None
    is_pending = np.zeros(graph.object_count, np.bool_)
    is_pending[list(heads)] = True
    holding = np.flatnonzero(is_pending[graph.ref_targets]).astype(np.uint32)
    native = _native_objects(graph)
    settlers: dict[int, list[int]] = {}
    for ref, source in zip(holding.tolist(), sources_of(graph, holding).tolist(), strict=True):
        kind = graph.kind(ref)
        if kind in HOLDS and (kind in (Kind.STACK, Kind.WEAK) or _is_scripted(graph, source, native)):
            continue
        settlers.setdefault(int(graph.ref_targets[ref]), []).append(source)
    rooted = set(graph.roots.targets[_is_handle(graph)].tolist()) & set(heads)
    return Promises(
        graph,
        heads,
        {promise: tuple(dict.fromkeys(found)) for promise, found in settlers.items()},
        frozenset(rooted),
    )


def _native_objects(graph: HeapGraph) -> frozenset[int]:
    """Objects that native code holds, or that wrap one of its own."""
    wrapping = np.flatnonzero(np.isin(graph.ref_labels, strings_equal(graph.strings, _TO_NATIVE)))
    wrapping = wrapping[kinds_of(graph, wrapping.astype(np.uint32)) == Kind.SLOT]
    wrappers = sources_of(graph, wrapping.astype(np.uint32))
    modules = graph.roots.targets[graph.roots.kinds == RootKind.MODULE]
    held = np.setdiff1d(graph.roots.targets[_is_handle(graph)], modules)
    return frozenset(held.tolist()) | frozenset(wrappers.tolist())


def _is_handle(graph: HeapGraph) -> npt.NDArray[np.bool_]:
    """Which roots are not of JavaScript: neither modules, nor what its running functions have at hand."""
    labels = {label: graph.strings[label] for label in np.unique(graph.roots.labels).tolist()}
    of_frames = [label for label, text in labels.items() if is_of_stack(text)]
    is_handle: npt.NDArray[np.bool_] = (graph.roots.kinds != RootKind.MODULE) & ~np.isin(
        graph.roots.labels, of_frames
    )
    return is_handle


def _is_scripted(graph: HeapGraph, source: int, native: frozenset[int]) -> bool:
    """Whether the source is an object of JavaScript alone: a builtin one, or of a class with a place."""
    if source in native:
        return False
    name = graph.type_name(source)
    return name in _SCRIPTLESS or name.startswith(GLOBAL) or graph.location_of(source) is not None
