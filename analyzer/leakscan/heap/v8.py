"""Reads a V8 heap snapshot (`.heapsnapshot`, also gzip'ed) into a HeapGraph.

The file is scanned once, in blocks, by native code that writes columns; the small `snapshot` object in
front says which fields there are. Every version of V8 and every embedder that writes that object is read
the same way: no position, no type number is taken for granted.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from leakscan import _native
from leakscan.errors import SnapshotError
from leakscan.heap.graph import U8, U32, U64
from leakscan.heap.v8_names import NUMBERED_EDGES

_HEAD: Final = re.compile(rb'\s*\{\s*"snapshot"\s*:\s*')
_HEAD_BYTES: Final = 1 << 18
_BLOCK_BYTES: Final = 1 << 20
_MOST_INFLATED: Final = 1032
"""What deflate can expand one byte to: bounds what a gzip'ed file may announce."""
_TAKE_AGAIN: Final = "the snapshot was interrupted; take it again"
_DAMAGED: Final = "the file was changed after it was written, or it is not a heap snapshot; take it again"
_ABSENT: Final = -1


@dataclass(slots=True)
class RawSnapshot:
    """The sections of the file as columns; indexes are checked, meanings are not.

    Not frozen: the edges are let go of as soon as they have become references.
    """

    name: str
    meta: Mapping[str, Any]  # Any: JSON
    node_type_names: tuple[str, ...]
    edge_type_names: tuple[str, ...]
    node_types: U8
    node_names: U32
    node_ids: U64
    node_sizes: U64
    node_edges: U32
    node_detached: U8
    edge_types: U8
    edge_names: U32
    edge_targets: U32
    string_bytes: U8
    string_ends: U64
    places: U32
    """k rows of node, script, line and column (both from 0)"""


def looks_like_v8(start: bytes) -> bool:
    return _HEAD.match(start) is not None


def read(file: BinaryIO, name: str) -> RawSnapshot:
    """The columns of the snapshot in `file`, a seekable file. SnapshotError when it is not a whole one."""
    file.seek(0)
    is_packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    limit = os.fstat(file.fileno()).st_size * (_MOST_INFLATED if is_packed else 1)
    stream: Any = gzip.GzipFile(fileobj=file) if is_packed else file  # Any: both have readinto
    try:
        return _read(stream, name, limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SnapshotError(f"{name}: cannot be decompressed: {error}", hint=_TAKE_AGAIN) from error
    except OSError as error:
        raise SnapshotError(f"{name}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        hint = "read it on a machine with more memory"
        raise SnapshotError(f"{name}: does not fit in memory", hint=hint) from error


def _read(stream: Any, name: str, limit: int) -> RawSnapshot:  # Any: file or gzip file
    head = stream.read(_HEAD_BYTES)
    snapshot = _snapshot_of(head, name)
    try:
        layout, node_types, edge_types = _layout(snapshot["meta"])
        nodes, edges = int(snapshot["node_count"]), int(snapshot["edge_count"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SnapshotError(f"{name}: its `meta` lacks or garbles {error}", hint=_DAMAGED) from error
    # Each number takes at least a digit and a comma: what is announced must fit in the file.
    if nodes < 0 or edges < 0 or 2 * (nodes * layout[0] + edges * layout[7]) > limit:
        what = f"announces {nodes} nodes and {edges} edges, more than it can hold"
        raise SnapshotError(f"{name}: {what}", hint=_TAKE_AGAIN)
    columns = (
        np.empty(nodes, np.uint8),
        np.empty(nodes, np.uint32),
        np.empty(nodes, np.uint64),
        np.empty(nodes, np.uint64),
        np.empty(nodes, np.uint32),
        np.empty(nodes, np.uint8),
        np.empty(edges, np.uint8),
        np.empty(edges, np.uint32),
        np.empty(edges, np.uint32),
    )
    scanner = _native.v8_open(layout, columns)
    _check(name, snapshot, *_native.v8_feed(scanner, head))
    block = bytearray(_BLOCK_BYTES)
    view = memoryview(block)
    while size := stream.readinto(block):
        _check(name, snapshot, *_native.v8_feed(scanner, view[:size]))
    fault, section, offset, value, strings, string_bytes, places = _native.v8_finish(scanner)
    _check(name, snapshot, fault, section, offset, value)
    tail = (
        np.empty(string_bytes, np.uint8),
        np.empty(strings, np.uint64),
        np.empty(4 * places, np.uint32),
    )
    _native.v8_take(scanner, *tail)
    return RawSnapshot(
        name, snapshot, node_types, edge_types, *columns, tail[0], tail[1], tail[2].reshape(-1, 4)
    )


def _snapshot_of(head: bytes, name: str) -> dict[str, Any]:  # Any: JSON
    match = _HEAD.match(head)
    if match is None:
        raise SnapshotError(f"{name}: not a heap snapshot: it does not begin with `snapshot`", hint=_DAMAGED)
    try:
        value, _ = json.JSONDecoder().raw_decode(head.decode("utf-8", "replace"), match.end())
    except (ValueError, RecursionError) as error:
        raise SnapshotError(
            f"{name}: truncated or damaged in its header: {error}", hint=_TAKE_AGAIN
        ) from error
    if not isinstance(value, dict):
        raise SnapshotError(f"{name}: its `snapshot` is not an object", hint=_DAMAGED)
    return value


def _layout(meta: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """What the scanner needs, and the names of the types of node and edge. KeyError, TypeError ..."""
    nodes, edges = list(meta["node_fields"]), list(meta["edge_fields"])
    places = list(meta.get("location_fields", []))
    # `node_types` may have more entries than `node_fields`; only that of `type` is a list of names.
    node_types, edge_types = _only_list(meta["node_types"]), _only_list(meta["edge_types"])
    node_fields = [nodes.index(field) for field in ("type", "name", "id", "self_size", "edge_count")]
    detached = nodes.index("detachedness") if "detachedness" in nodes else _ABSENT
    edge_fields = [edges.index(field) for field in ("type", "name_or_index", "to_node")]
    place_fields = [0, 0, 0, _ABSENT]
    if {"object_index", "script_id", "line"} <= set(places):
        place_fields = [places.index(field) for field in ("object_index", "script_id", "line")]
        place_fields.append(places.index("column") if "column" in places else _ABSENT)
    else:
        places = []
    numbered = sum(1 << number for number, name in enumerate(edge_types) if name in NUMBERED_EDGES)
    layout = (
        *(len(nodes), *node_fields, detached),
        *(len(edges), *edge_fields),
        *(len(places), *place_fields),
        *(len(node_types), len(edge_types)),
        *(node_types.index("string") if "string" in node_types else _ABSENT, numbered),
    )
    return layout, node_types, edge_types


def _only_list(types: Any) -> tuple[str, ...]:  # Any: JSON
    (listed,) = (entry for entry in types if isinstance(entry, list))
    return tuple(str(name) for name in listed)


def _check(name: str, snapshot: Mapping[str, Any], fault: str, section: str, offset: int, value: int) -> None:
    if not fault:
        return
    what, hint = _FAULTS[fault]
    counts = {"nodes": snapshot.get("node_count"), "edges": snapshot.get("edge_count")}
    where = f" in `{section}`" if section else ""
    text = what.format(value=value, offset=offset, section=section, announced=counts.get(section))
    raise SnapshotError(f"{name}: {text}{where} (byte {offset})", hint=hint)


_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "syntax": ("not the JSON of a heap snapshot", _DAMAGED),
    "number": ("a number that is negative, fractional or too large", _DAMAGED),
    "too many": ("more than the {announced} records announced", _DAMAGED),
    "too few": ("only {value} of the {announced} records announced", _DAMAGED),
    "partial": ("a last record that lacks fields", _DAMAGED),
    "repeated": ("a section that occurs twice", _DAMAGED),
    "node type": ("the unknown node type {value}", _DAMAGED),
    "edge type": ("the unknown edge type {value}", _DAMAGED),
    "target": ("a reference to record {value}, which is no node", _DAMAGED),
    "edge sum": ("edge counts that do not add up to the edges there are", _DAMAGED),
    "name": ("the name {value}, beyond the strings there are", _DAMAGED),
    "string": ("a broken escape in a string", _DAMAGED),
    "cut": ("truncated at byte {offset}", _TAKE_AGAIN),
    "memory": ("its strings do not fit in memory", "read it on a machine with more memory"),
}
