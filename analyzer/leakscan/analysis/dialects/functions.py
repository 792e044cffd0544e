"""Functions of Python and what runs them: told apart by the code they have, where a name is not enough."""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.analysis.graph.refs import objects_named, strings_equal
from leakscan.heap.graph import U32, HeapGraph, Location
from leakscan.heap.kinds import RootKind

FUNCTIONS: Final = frozenset(("function", "generator", "coroutine", "async_generator", "<frame>"))
_CODE: Final = frozenset(("__code__", "f_code", "gi_code", "cr_code", "ag_code"))


def code_place(graph: HeapGraph, obj: int) -> Location | None:
    """Where the code of a function, frame, generator or coroutine begins."""
    if graph.runtime == "v8" or graph.type_name(obj) not in FUNCTIONS:
        return None
    for ref in graph.references(obj):
        if graph.label(ref) in _CODE:
            return graph.location_of(int(graph.ref_targets[ref]))
    # Only what runs has a place of its own, which is the line that it is at.
    place = graph.location_of(obj)
    return None if place is None else Location(place.file, 0)


def functions_of_module(graph: HeapGraph, name: str) -> U32:
    """What `module.function` names: `app.jobs.make.<locals>.add`, every reading of it."""
    parts = name.split(".")
    found: list[int] = []
    for length in range(1, len(parts)):
        files = _files_of_module(graph, ".".join(parts[:length]))
        texts = strings_equal(graph.strings, ".".join(parts[length:])) if files else ()
        if len(texts):
            called = objects_named(graph, texts).tolist()
            found += [
                obj for obj in called if (place := code_place(graph, obj)) is not None and place.file in files
            ]
    return np.array(sorted(found), np.uint32)


def _files_of_module(graph: HeapGraph, name: str) -> set[str]:
    labels = strings_equal(graph.strings, name)
    is_module = (graph.roots.kinds == RootKind.MODULE) & np.isin(graph.roots.labels, labels)
    places = [graph.location_of(obj) for obj in graph.roots.targets[is_module].tolist()]
    return {place.file for place in places if place is not None}
