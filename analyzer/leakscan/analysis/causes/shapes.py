"""What builtin objects are called by what is in them: `dict {content, role}`, `list of Chunk`."""

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
    if type_name == "dict":
        return _of_dicts(graph, looked_at)
    if type_name in _KINDS:
        return _of_items(graph, looked_at, type_name, _KINDS[type_name])
    return ""


def _of_dicts(graph: HeapGraph, objects: Sequence[int]) -> str:
    keys = {_keys(graph, obj) for obj in objects}
    shared = keys.pop() if len(keys) == 1 else None
    if not shared:
        return ""
    names = sorted(shared)
    more = ", ..." if len(names) > _KEYS_SHOWN else ""
    return f"dict {{{', '.join(names[:_KEYS_SHOWN])}{more}}}"


def _keys(graph: HeapGraph, obj: int) -> frozenset[str] | None:
    """The keys of a dict that has a few names only, None for any other."""
    refs = graph.references(obj)
    if len(refs) > _REFERENCES:
        return None
    kinds = [graph.kind(ref) for ref in refs]
    if any(kind in (Kind.KEY_INT, Kind.KEY_OTHER) for kind in kinds):
        return None
    keys = frozenset(graph.label(ref) for ref, kind in zip(refs, kinds, strict=True) if kind == Kind.KEY_STR)
    return keys if all(key.isidentifier() and len(key) <= _LONGEST_KEY for key in keys) else None


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
