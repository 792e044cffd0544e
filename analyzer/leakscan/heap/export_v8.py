"""Writes a heap in V8's snapshot format, which Chrome DevTools' Memory panel and every V8 tool open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind, RootKind
from leakscan.heap.v8_names import EdgeType

_NODE_FIELDS: Final = ("type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness")
_NODE_TYPES: Final = tuple(
    "hidden array string object code closure regexp number native synthetic".split()  # noqa: SIM905
)
_OBJECT, _SYNTHETIC = _NODE_TYPES.index("object"), _NODE_TYPES.index("synthetic")
_EDGE_TYPES: Final = tuple(kind.name.lower() for kind in EdgeType)
_RECORDS_AT_ONCE: Final = 100_000
_MOST_BYTES: Final = 0xFFFFFFFF
"""DevTools keeps sizes in 32 bits."""

_FORMS: Final = {
    Kind.ATTRIBUTE: (EdgeType.PROPERTY, "{}"),
    Kind.SLOT: (EdgeType.PROPERTY, "{}"),
    Kind.AWAIT: (EdgeType.PROPERTY, "{}"),
    Kind.ELEMENT: (EdgeType.PROPERTY, "{}"),
    Kind.KEY_STR: (EdgeType.PROPERTY, "['{}']"),
    Kind.KEY_INT: (EdgeType.PROPERTY, "[{}]"),
    Kind.KEY_OTHER: (EdgeType.PROPERTY, "[<{}>]"),
    Kind.FRAME: (EdgeType.PROPERTY, "frame {}"),
    Kind.LOCAL: (EdgeType.CONTEXT, "{}"),
    Kind.CLOSURE: (EdgeType.CONTEXT, "{}"),
    Kind.CONTEXT: (EdgeType.CONTEXT, "{}"),
    Kind.KEY: (EdgeType.INTERNAL, "key '{}'"),
    Kind.MACHINERY: (EdgeType.INTERNAL, "{}"),
    Kind.INTERNAL: (EdgeType.INTERNAL, "{}"),
    Kind.MEMBER: (EdgeType.INTERNAL, "{{...}}"),
    Kind.DICT: (EdgeType.INTERNAL, "__dict__"),
    Kind.TYPE: (EdgeType.INTERNAL, "__class__"),
    Kind.UNNAMED: (EdgeType.INTERNAL, "<unnamed>"),
    Kind.WEAK: (EdgeType.WEAK, "weak"),
    Kind.EPHEMERON: (EdgeType.WEAK, "{}"),
}
_NUMBERED: Final = {Kind.INDEX: EdgeType.ELEMENT, Kind.STACK: EdgeType.HIDDEN}
_ROOT_NAMES: Final = {
    RootKind.INTERPRETER: "(interpreter)",
    RootKind.STATIC_TYPE: "(static types)",
    RootKind.HELD_FROM_C: "(held from C)",
}
"""Modules and threads are children of the root itself: DevTools measures distances from those."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: records, and how many sizes had to be cut to 4 GiB."""

    node_count: int
    edge_count: int
    cut_sizes: int


@dataclass(frozen=True, slots=True)
class _Edges:
    types: npt.NDArray[np.uint8]
    names: npt.NDArray[np.uint32]
    targets: npt.NDArray[np.uint32]
    """numbers of nodes"""


def export_v8(graph: HeapGraph, path: Path, *, held: U32 | None = None) -> Exported:
    """Writes `graph` to `path`; `held` are objects that something outside the heap keeps alive.

    Object i becomes node i + 4 with the id 2 i + 9, so ids of two exports cannot be compared. OSError when
    it cannot be written.
    """
    strings = _Strings()
    root_edges, groups = _root_edges(graph, strings, np.zeros(0, np.uint32) if held is None else held)
    first_object = 1 + len(groups)
    edges = _object_edges(graph, strings, first_object)
    counts = np.concatenate(
        [np.array([len(part.types) for part in root_edges], np.uint64), np.diff(graph.first_ref)]
    )
    head = {
        "meta": _meta(),
        "node_count": len(counts),
        "edge_count": int(counts.sum()),
        "trace_function_count": 0,
    }
    with open(path, "w", encoding="ascii") as file:
        file.write('{"snapshot":' + json.dumps(head) + ',\n"nodes":[')
        _write_numbers(file, _node_records(graph, strings, groups, counts))
        file.write('],\n"edges":[')
        _write_numbers(file, (_edge_records(part) for part in [*root_edges, edges]))
        file.write(
            '],\n"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[],\n"strings":['
        )
        file.write(",\n".join(json.dumps(text) for text in strings.texts))
        file.write("]}\n")
    return Exported(len(counts), int(counts.sum()), int((graph.sizes > _MOST_BYTES).sum()))


class _Strings:
    def __init__(self) -> None:
        self._index: dict[str, int] = {"<dummy>": 0}

    def add(self, text: str) -> int:
        return self._index.setdefault(text, len(self._index))

    @property
    def texts(self) -> list[str]:
        return list(self._index)


def _meta() -> dict[str, object]:
    return {
        "node_fields": _NODE_FIELDS,
        "node_types": [_NODE_TYPES, "string", *["number"] * 5],
        "edge_fields": ["type", "name_or_index", "to_node"],
        "edge_types": [_EDGE_TYPES, "string_or_number", "node"],
        "trace_function_info_fields": ["function_id", "name", "script_name", "script_id", "line", "column"],
        "trace_node_fields": ["id", "function_info_index", "count", "size", "children"],
        "sample_fields": ["timestamp_us", "last_assigned_id"],
        "location_fields": ["object_index", "script_id", "line", "column"],
    }


def _root_edges(graph: HeapGraph, strings: _Strings, held: U32) -> tuple[list[_Edges], list[str]]:
    """Edges of the root, then of each group of roots; the names of the groups."""
    groups = list(_ROOT_NAMES)
    first_object = 1 + len(groups)
    rows: list[list[tuple[int, int, int]]] = [[] for _ in range(first_object)]
    for number in range(len(groups)):
        rows[0].append((EdgeType.ELEMENT, number + 1, number + 1))
    labels = {label: graph.strings[label] for label in np.unique(graph.roots.labels).tolist()}
    for kind, label, target in zip(
        graph.roots.kinds.tolist(), graph.roots.labels.tolist(), graph.roots.targets.tolist(), strict=True
    ):
        group = groups.index(RootKind(kind)) + 1 if kind in groups else 0
        word = "module " if kind == RootKind.MODULE and graph.runtime == "cpython" else ""
        row = (EdgeType.PROPERTY, strings.add(word + labels[label]), target + first_object)
        rows[group].append(row)
    outside = groups.index(RootKind.HELD_FROM_C) + 1
    for number, obj in enumerate(held.tolist()):
        rows[outside].append((EdgeType.ELEMENT, number + 1, obj + first_object))
    return [_edges_of(part) for part in rows], [_ROOT_NAMES[kind] for kind in groups]


def _edges_of(rows: list[tuple[int, int, int]]) -> _Edges:
    table = np.array(rows, np.uint32).reshape(-1, 3)
    return _Edges(table[:, 0].astype(np.uint8), table[:, 1], table[:, 2])


def _object_edges(graph: HeapGraph, strings: _Strings, first_object: int) -> _Edges:
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    types = np.zeros(len(kinds), np.uint8)
    labels = graph.ref_labels.copy()
    for kind, edge_type in _NUMBERED.items():
        types[kinds == kind] = edge_type
    is_named = ~np.isin(kinds, list(_NUMBERED))
    pairs = (kinds[is_named].astype(np.uint64) << np.uint64(32)) | labels[is_named]
    known, rows = np.unique(pairs, return_inverse=True)
    names = np.zeros(len(known), np.uint32)
    edge_types = np.zeros(len(known), np.uint8)
    for row, pair in enumerate(known.tolist()):
        edge_type, form = _FORMS[Kind(pair >> 32)]
        names[row] = strings.add(form.format(graph.strings[pair & 0xFFFFFFFF]))
        edge_types[row] = edge_type
    labels[is_named], types[is_named] = names[rows], edge_types[rows]
    return _Edges(types, labels, graph.ref_targets + np.uint32(first_object))


def _node_records(
    graph: HeapGraph, strings: _Strings, groups: list[str], counts: npt.NDArray[np.uint64]
) -> Iterator[npt.NDArray[np.uint64]]:
    roots = [strings.add(""), *(strings.add(name) for name in groups)]
    for number, name in enumerate(roots):
        row = [_SYNTHETIC, name, 2 * number + 1, 0, int(counts[number]), 0, 0]
        yield np.array([row], np.uint64)
    names = np.array([strings.add(name) for name in graph.type_names], np.uint64)
    for start in range(0, graph.object_count, _RECORDS_AT_ONCE):
        stop = min(start + _RECORDS_AT_ONCE, graph.object_count)
        block = np.zeros((stop - start, len(_NODE_FIELDS)), np.uint64)
        block[:, 0] = _OBJECT
        block[:, 1] = names[graph.type_ids[start:stop]]
        block[:, 2] = 2 * (np.arange(start, stop) + len(roots)) + 1
        block[:, 3] = np.minimum(graph.sizes[start:stop], _MOST_BYTES)
        block[:, 4] = counts[len(roots) + start : len(roots) + stop]
        yield block


def _edge_records(edges: _Edges) -> npt.NDArray[np.uint64]:
    targets = edges.targets.astype(np.uint64) * np.uint64(len(_NODE_FIELDS))
    return np.column_stack([edges.types.astype(np.uint64), edges.names.astype(np.uint64), targets])


def _write_numbers(file: IO[str], blocks: Iterator[npt.NDArray[np.uint64]]) -> None:
    separator = ""
    for block in blocks:
        for start in range(0, len(block), _RECORDS_AT_ONCE):
            part = block[start : start + _RECORDS_AT_ONCE].ravel().tolist()
            file.write(separator + ",".join(map(str, part)))
            separator = ",\n"
