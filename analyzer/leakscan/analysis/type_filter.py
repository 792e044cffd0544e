"""Narrowing an answer to the types that a user names."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np

from leakscan.analysis.slots.reach import Reach
from leakscan.errors import UsageError
from leakscan.heap.graph import U32, HeapGraph

_SUGGESTIONS = 5


def is_named(type_name: str, asked: str) -> bool:
    """Whether `asked` is the qualified name of the type, or its end: `ModelOutput`, `output.ModelOutput`."""
    return type_name == asked or type_name.endswith(f".{asked}")


def type_rows_named(graph: HeapGraph, name: str) -> list[int]:
    """Rows of the types whose qualified name is `name` or ends with `.name`. UsageError: there is none."""
    rows = [row for row, full in enumerate(graph.type_names) if is_named(full, name)]
    if not rows:
        near = types_near(graph, name)
        raise UsageError(
            f"no object in the snapshot has a type called {name!r}",
            hint=f"did you mean {', '.join(near)}?"
            if near
            else "names are matched from their end: ModelOutput",
        )
    return rows


def types_near(graph: HeapGraph, name: str) -> list[str]:
    """Short names of types that are spelled much like that, the nearest first."""
    short = sorted({full.rpartition(".")[2] for full in graph.type_names})
    return get_close_matches(name.rpartition(".")[2], short, n=_SUGGESTIONS, cutoff=0.5)


def survivors_of_type(reach: Reach, name: str) -> U32:
    """The held new objects of the types that `name` means, ascending."""
    is_type = np.zeros(max(1, len(reach.graph.types)), np.bool_)
    is_type[type_rows_named(reach.graph, name)] = True
    return np.flatnonzero(reach.is_held & is_type[reach.graph.type_ids]).astype(np.uint32)
