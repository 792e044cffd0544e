"""What builtin objects are called by what is in them: `dict {content, role}`, `list of Chunk`.

In V8 too: `Object {id, user}`, `Array of Chunk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind

_OBJECTS: Final = 20
_REFERENCES: Final = 64
"""Looked at of each object: a container of millions is known by its beginning."""
_KEYS_SHOWN: Final = 4
_LONGEST_KEY: Final = 24
_LONGEST_TUPLE: Final = 4
_KINDS: Final = {"list": Kind.INDEX, "tuple": Kind.INDEX, "set": Kind.MEMBER, "frozenset": Kind.MEMBER}


def shape_of(graph: HeapGraph, objects: Sequence[int]) -> str:
    """The type of these objects, which is one, with what they have in common inside; "" when nothing tells.

    Keys that are alike in all of them are names; others come from data and are never shown.
    """
    looked_at = objects[:_OBJECTS]
    type_name = graph.type_name(looked_at[0])
    if graph.runtime == "v8":
        return _of_v8(graph, looked_at, type_name)
    if type_name == "dict":
        return _named("dict", {_keys(graph, obj) for obj in looked_at})
    if type_name in _KINDS:
        return _of_items(graph, looked_at, type_name, _KINDS[type_name])
    return ""


def _of_v8(graph: HeapGraph, objects: Sequence[int], type_name: str) -> str:
    if type_name == "Object":
        return _named("Object", {_properties(graph, obj) for obj in objects})
    return _of_items(graph, objects, "Array", Kind.ELEMENT) if type_name == "Array" else ""


def _named(type_name: str, keys: set[tuple[str, ...] | None]) -> str:
    names = keys.pop() if len(keys) == 1 else None
    if not names:
        return ""
    more = ", ..." if len(names) > _KEYS_SHOWN else ""
    return f"{type_name} {{{', '.join(names[:_KEYS_SHOWN])}{more}}}"


def _properties(graph: HeapGraph, obj: int) -> tuple[str, ...] | None:
    """The names of an object that has a few only, as they were given; None for one that is used as a map."""
    refs = graph.references(obj)
    if len(refs) > _REFERENCES or any(graph.kind(ref) == Kind.ELEMENT for ref in refs):
        return None
    return _few([graph.label(ref) for ref in refs if graph.kind(ref) == Kind.ATTRIBUTE])


def _few(names: Sequence[str]) -> tuple[str, ...] | None:
    are_names = all(name.replace("$", "_").isidentifier() and len(name) <= _LONGEST_KEY for name in names)
    return tuple(names) if are_names else None


def _keys(graph: HeapGraph, obj: int) -> tuple[str, ...] | None:
    """The keys of a dict that has a few names only, sorted; None for any other."""
    refs = graph.references(obj)
    if len(refs) > _REFERENCES:
        return None
    kinds = [graph.kind(ref) for ref in refs]
    if any(kind in (Kind.KEY_INT, Kind.KEY_OTHER) for kind in kinds):
        return None
    return _few(
        sorted({graph.label(ref) for ref, kind in zip(refs, kinds, strict=True) if kind == Kind.KEY_STR})
    )


def _of_items(graph: HeapGraph, objects: Sequence[int], type_name: str, kind: Kind) -> str:
    rows = [
        tuple(
            graph.type_name(int(graph.ref_targets[ref])).rpartition(".")[2]
            for ref in graph.references(obj)[: _REFERENCES + 1]
            if graph.kind(ref) == kind
        )
        for obj in objects
    ]
    if not all(rows):
        return ""
    types = {name for row in rows for name in row}
    if type_name == "tuple" and len(set(rows)) == 1 and len(rows[0]) <= _LONGEST_TUPLE:
        return f"tuple ({', '.join(rows[0])})"
    return f"{type_name} of {types.pop()}" if len(types) == 1 else ""
