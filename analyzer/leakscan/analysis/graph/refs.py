"""Small questions about the references of one snapshot, answered on whole arrays."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U8, U32, HeapGraph, Location, StringTable
from leakscan.heap.kinds import KIND_MASK, NO_OBJECT, Kind, RootKind
from leakscan.heap.sparse import SparseColumn

_Integer = TypeVar("_Integer", bound=np.integer[Any])  # Any: of whatever width
Bools = npt.NDArray[np.bool_]


def refs_from(graph: HeapGraph, objects: U32) -> U32:
    """Numbers of all references that start at these objects, in the order of the objects."""
    start = graph.first_ref[objects].astype(np.int64)
    count = graph.first_ref[objects.astype(np.int64) + 1].astype(np.int64) - start
    total = int(count.sum())
    shift = start - (np.cumsum(count) - count)
    refs: U32 = (np.arange(total, dtype=np.int64) + np.repeat(shift, count)).astype(np.uint32)
    return refs


def distinct(values: npt.NDArray[_Integer]) -> npt.NDArray[_Integer]:
    """The different values, ascending."""
    # np.unique hashes integers since numpy 2.3, which takes sixty times as long as sorting them.
    values = np.sort(values)
    is_first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=is_first[1:])
    return values[is_first]


def refs_with_sources(graph: HeapGraph, objects: U32) -> tuple[U32, U32]:
    """refs_from(), and the object that each of these references starts at."""
    count = graph.first_ref[objects.astype(np.int64) + 1] - graph.first_ref[objects]
    return refs_from(graph, objects), np.repeat(objects.astype(np.uint32), count.astype(np.int64))


def sources_of(graph: HeapGraph, refs: U32) -> U32:
    """The object each of these references starts at."""
    # The keys must have first_ref's own type: numpy would convert the whole column otherwise.
    return (np.searchsorted(graph.first_ref, refs.astype(np.uint64), side="right") - 1).astype(np.uint32)


def source_of(graph: HeapGraph, ref: int) -> int:
    """The object that reference `ref` starts at."""
    return int(np.searchsorted(graph.first_ref, np.uint64(ref), side="right")) - 1


def kinds_of(graph: HeapGraph, refs: U32) -> U8:
    """Kinds of these references, without the borrowed bit."""
    kinds: U8 = graph.ref_kinds[refs] & np.uint8(KIND_MASK)
    return kinds


def type_rows(graph: HeapGraph) -> dict[int, int]:
    """Rows of the type table by the object that the type is; types that were not seen are left out."""
    return {obj: row for row, obj in enumerate(graph.types.objects.tolist()) if obj != NO_OBJECT}


def with_one_row_for_each_name(graph: HeapGraph) -> HeapGraph:
    """`graph` of CPython with the objects of all classes of one name in the row of the first of them.

    A program that makes a class in each run (a namedtuple, a dataclass in a function) means one by its name.
    In V8 two classes of one name may have nothing to do with each other: minified ones are all called `e`.
    """
    rows: dict[str, int] = {}
    first = np.array([rows.setdefault(name, row) for row, name in enumerate(graph.type_names)], np.uint32)
    if graph.runtime != "cpython" or len(rows) == len(first):
        return graph
    # `replace` would read every column of a graph that reads them when they are used.
    changed = copy(graph)
    object.__setattr__(changed, "type_ids", first[graph.type_ids])
    return changed


def module_places(graph: HeapGraph) -> dict[str, Location]:
    """The file of each module that the roots name."""
    places: dict[str, Location] = {}
    for row in np.flatnonzero(graph.roots.kinds == RootKind.MODULE).tolist():
        place = graph.location_of(int(graph.roots.targets[row]))
        if place is not None:
            places.setdefault(graph.root_label(row), place)
    return places


def frames_below(graph: HeapGraph, top: int) -> list[int]:
    """A thread's frames from the innermost one outwards. A damaged heap's circle is passed once."""
    frames: dict[int, None] = {}
    frame: int | None = top
    while frame is not None and frame not in frames:
        frames[frame] = None
        callers = (
            int(graph.ref_targets[ref])
            for ref in graph.references(frame)
            if graph.kind(ref) == Kind.FRAME and graph.label(ref) == "f_back"
        )
        frame = next(callers, None)
    return list(frames)


def objects_named(graph: HeapGraph, strings: npt.ArrayLike) -> U32:
    """Objects whose own name is one of these strings of the table, ascending."""
    names = graph.names
    if isinstance(names, SparseColumn):
        return np.asarray(names.objects[np.isin(names.values_array, strings)], np.uint32)
    wanted = set(np.asarray(strings).tolist())
    return np.array(sorted(obj for obj, text in names.items() if text in wanted), np.uint32)


def strings_equal(strings: StringTable, text: str) -> U32:
    """Numbers of the strings that read `text`; a string may be stored more than once."""
    wanted = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    ends = strings.ends.astype(np.int64)
    starts = np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1]))
    rows = np.flatnonzero(ends - starts == len(wanted))
    if len(wanted) and len(rows):
        blob = np.frombuffer(strings.blob, np.uint8)
        # Byte by byte: most rows are gone after the first few.
        for position, byte in enumerate(wanted.tolist()):
            rows = rows[blob[starts[rows] + position] == byte]
    return rows.astype(np.uint32)


def strings_ending(strings: StringTable, suffix: str) -> U32:
    """Numbers of the strings that end in `suffix`."""
    wanted = np.frombuffer(suffix.encode("utf-8", "replace"), np.uint8)
    ends = strings.ends.astype(np.int64)
    starts = np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1]))
    rows = np.flatnonzero(ends - starts >= len(wanted))
    if len(wanted) and len(rows):
        blob = np.frombuffer(strings.blob, np.uint8)
        for position, byte in enumerate(reversed(wanted.tolist()), 1):
            rows = rows[blob[ends[rows] - position] == byte]
    return rows.astype(np.uint32)


def order_of(graph: HeapGraph, cls: int) -> list[int]:
    """The class and its bases, as its `__mro__` has them."""
    for ref in graph.references(cls):
        if graph.kind(ref) == Kind.MACHINERY and graph.label(ref) == "__mro__":
            members = graph.references(int(graph.ref_targets[ref]))
            return [int(graph.ref_targets[one]) for one in members if graph.kind(one) == Kind.INDEX]
    return [cls]
