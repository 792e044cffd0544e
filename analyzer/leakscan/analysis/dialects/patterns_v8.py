"""Steps of a cut that read like a call, in a V8 heap: `.get('run-17')`, `.has(*)`, `.on('chunk')`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from leakscan.analysis.dialects.slots_v8 import CELL, CELLS, PROMISE_STATES, REACTION
from leakscan.analysis.graph.refs import kinds_of, refs_from, sources_of, strings_equal
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind

_CALL: Final = re.compile(r"\.(?P<method>\w+)\((?P<argument>.*)\)", re.DOTALL)
_KEYS: Final = (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER, Kind.KEY)


def with_folded(graph: HeapGraph, objects: U32) -> U32:
    """`objects`, and the scopes and backing stores behind them, which no developer writes."""
    found, level = objects, objects
    while len(level):
        level = np.setdiff1d(_targets(graph, _of_kind(graph, refs_from(graph, level), Kind.DICT)), found)
        found = np.union1d(found, level)
    return found.astype(np.uint32)


def call_refs(graph: HeapGraph, refs: U32, text: str) -> U32:
    """The references among `refs`, and for listeners beyond them, that the call `text` stands for."""
    call = _CALL.fullmatch(text)
    if call is None:
        return refs[:0]
    argument = call["argument"]
    match call["method"]:
        case "get":
            return _argued(graph, _of_kind(graph, refs, *_KEYS), argument)
        case "has":
            members = _of_kind(graph, refs, Kind.MEMBER)
            return members if argument == "*" else _of_type(graph, members, argument)
        case "on" | "once":
            events = _targets(graph, _labelled(graph, _of_kind(graph, refs, Kind.ATTRIBUTE), "_events"))
            slots = _argued(graph, _of_kind(graph, refs_from(graph, events), Kind.ATTRIBUTE), argument)
            return _listeners(graph, slots)
        case "addEventListener":
            table = _labelled(graph, _of_kind(graph, refs, Kind.ATTRIBUTE), "<symbol kEvents>")
            entries = refs_from(graph, _targets(graph, table))
            return _argued(graph, _of_kind(graph, entries, Kind.KEY_STR), argument)
        case "then":
            states = _of_kind(graph, refs, Kind.SLOT)
            return _of_type(graph, _with_label(graph, states, PROMISE_STATES), REACTION)
        case "register":
            return _registrations(graph, refs)
        case _:
            return refs[:0]


def _registrations(graph: HeapGraph, refs: U32) -> U32:
    """What leads to the registrations of these registries: from the registry, and from one to the next."""
    first = _of_type(graph, _labelled(graph, _of_kind(graph, refs, Kind.SLOT), CELLS), CELL)
    rows = [row for row, name in enumerate(graph.type_names) if name == CELL]
    cells = np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32)
    inside = _of_kind(graph, refs_from(graph, cells), Kind.SLOT)
    registries = np.setdiff1d(sources_of(graph, first), cells)
    own = np.unique(sources_of(graph, inside[np.isin(graph.ref_targets[inside], registries)]))
    links = _of_type(graph, inside[np.isin(sources_of(graph, inside), own)], CELL)
    return np.union1d(first, links).astype(np.uint32)


def _listeners(graph: HeapGraph, slots: U32) -> U32:
    """A slot of `_events` has one listener, or an array of them."""
    rows = [row for row, name in enumerate(graph.type_names) if name == "Array"]
    is_many = np.isin(graph.type_ids[graph.ref_targets[slots]], rows)
    inside = _of_kind(graph, refs_from(graph, _targets(graph, slots[is_many])), Kind.INDEX)
    # `__proto__` and its like are no events.
    types = [row for row, name in enumerate(graph.type_names) if name == "Function"]
    single = slots[np.isin(graph.type_ids[graph.ref_targets[slots]], types)]
    return np.union1d(single, inside).astype(np.uint32)


def _argued(graph: HeapGraph, refs: U32, argument: str) -> U32:
    if argument == "*":
        return refs
    if argument.startswith("Symbol("):
        return _labelled(graph, refs, f"<symbol {argument[7:-1]}>")
    if argument.startswith("<"):
        return _labelled(graph, refs, argument[1:-1])
    try:
        return _labelled(graph, refs, str(ast.literal_eval(argument)))
    except (ValueError, SyntaxError):
        return _labelled(graph, refs, argument[1:-1])


def _labelled(graph: HeapGraph, refs: U32, label: str) -> U32:
    named: U32 = refs[np.isin(graph.ref_labels[refs], strings_equal(graph.strings, label))]
    return named


def _with_label(graph: HeapGraph, refs: U32, labels: Iterable[str]) -> U32:
    found = [_labelled(graph, refs, label) for label in labels]
    return np.unique(np.concatenate(found)).astype(np.uint32)


def _of_type(graph: HeapGraph, refs: U32, argument: str) -> U32:
    rows = [row for row, name in enumerate(graph.type_names) if name == argument.strip("<>")]
    typed: U32 = refs[np.isin(graph.type_ids[graph.ref_targets[refs]], rows)]
    return typed


def _of_kind(graph: HeapGraph, refs: U32, *kinds: Kind) -> U32:
    chosen: U32 = refs[np.isin(kinds_of(graph, refs), kinds)]
    return chosen


def _targets(graph: HeapGraph, refs: U32) -> U32:
    return np.unique(graph.ref_targets[refs])
