"""Writes a HeapGraph as a snapshot file (docs/format.md)."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.chunks import BYTES, DTYPES, RAW, SHUFFLED, U8_ITEMS, U16_ITEMS, U32_ITEMS, U64_ITEMS, ZLIB
from leakscan.heap.graph import HeapGraph

_HEADER: Final = struct.Struct("<4s16sBBHIIQQ")
_CHUNK_BYTES: Final = 1 << 20
_SMALLEST_PACKED: Final = 1024
_LEVEL: Final = 1
"""Of zlib: level 6 takes four times as long for 7 % less (docs/decisions/compression.md)."""
_BIG_SIZE: Final = 0xFFFFFFFF

Column = tuple[str, int, npt.NDArray[Any]]  # Any: the integer type that the dtype number names


def write(graph: HeapGraph, path: str | os.PathLike[str], *, compress: bool = False) -> None:
    """Writes `graph` to `path`; what `reader.load` gives for that file equals `graph`.

    OSError when it cannot be written: the file is then incomplete and refused by the reader.
    """
    with open(path, "wb") as file:
        write_columns(
            file,
            graph.meta,
            columns(graph),
            warnings=graph.warnings,
            is_shallow=graph.is_shallow,
            compress=compress,
        )


def write_columns(
    file: BinaryIO,
    meta: Mapping[str, Any],  # Any: JSON
    columns: Iterator[Column],
    *,
    warnings: tuple[str, ...] = (),
    is_shallow: bool = False,
    compress: bool = False,
) -> None:
    """Writes a whole snapshot file: magic, `meta`, the columns in their order, and `end`."""
    stream = ChunkStream(file, compress=compress)
    stream.text("meta", meta)
    for name, dtype, values in columns:
        stream.column(name, dtype, values)
    shallow = {"shallow": True} if is_shallow else {}
    stream.text("end", {"chunks": stream.count, "warnings": list(warnings), **shallow, "status": "complete"})


def columns(graph: HeapGraph) -> Iterator[Column]:
    """The columns of `graph` but for `meta` and `end`, in the order of docs/format.md."""
    yield "str.bytes", BYTES, np.frombuffer(graph.strings.blob, np.uint8)
    yield "str.ends", U64_ITEMS, graph.strings.ends
    yield "type.obj", U32_ITEMS, graph.types.objects
    yield "type.module", U32_ITEMS, graph.types.modules
    yield "type.name", U32_ITEMS, graph.types.names
    yield "type.flags", U8_ITEMS, graph.types.flags
    is_big = graph.sizes >= _BIG_SIZE
    yield "obj.addr", U64_ITEMS, graph.addresses
    yield "obj.type", U32_ITEMS, graph.type_ids
    yield "obj.size", U32_ITEMS, np.minimum(graph.sizes, _BIG_SIZE)
    yield "obj.refcount", U32_ITEMS, graph.refcounts
    yield "obj.birth", U16_ITEMS, graph.births
    yield "obj.flags", U8_ITEMS, graph.flags
    yield "obj.refs", U32_ITEMS, np.diff(graph.first_ref)
    yield "obj.site", U32_ITEMS, graph.sites
    yield "big.obj", U32_ITEMS, np.flatnonzero(is_big)
    yield "big.size", U64_ITEMS, graph.sizes[is_big]
    yield "ref.dst", U32_ITEMS, graph.ref_targets
    yield "ref.kind", U8_ITEMS, graph.ref_kinds
    yield "ref.label", U32_ITEMS, graph.ref_labels
    yield "root.kind", U8_ITEMS, graph.roots.kinds
    yield "root.label", U32_ITEMS, graph.roots.labels
    yield "root.dst", U32_ITEMS, graph.roots.targets
    yield "root.flags", U8_ITEMS, graph.roots.flags
    yield "name.obj", U32_ITEMS, _array(list(graph.names))
    yield "name.str", U32_ITEMS, _array(list(graph.names.values()))
    places = list(graph.locations.values())
    yield "loc.obj", U32_ITEMS, _array(list(graph.locations))
    yield "loc.file", U32_ITEMS, _array([file for file, _ in places])
    yield "loc.line", U32_ITEMS, _array([line for _, line in places])
    yield "bound.obj", U32_ITEMS, _array(list(graph.bounds))
    yield "bound.size", U64_ITEMS, _array(list(graph.bounds.values()))
    if len(graph.text_objects) and graph.runtime != "v8":
        yield "text.obj", U32_ITEMS, graph.text_objects
        yield "text.length", U32_ITEMS, graph.text_lengths
        yield "text.hash", U64_ITEMS, graph.text_hashes
        if graph.text_values:
            yield "value.obj", U32_ITEMS, _array(list(graph.text_values))
            yield "value.str", U32_ITEMS, _array(list(graph.text_values.values()))
    if len(graph.work_names):
        yield "obj.work", U16_ITEMS, graph.works
        yield "work.name", U32_ITEMS, graph.work_names
        yield "work.begun", U64_ITEMS, graph.works_begun
    yield "site.file", U32_ITEMS, graph.site_files
    yield "site.line", U32_ITEMS, graph.site_lines
    yield "site.func", U32_ITEMS, graph.site_functions


class ChunkStream:
    """Numbers, checksums and pads chunks on their way to a file that may be a pipe."""

    def __init__(self, file: BinaryIO, *, compress: bool) -> None:
        self._file, self._compress = file, compress
        self.count = 0
        file.write(b"LEAKSCAN" + struct.pack("<II", 1, 0))

    def text(self, name: str, value: Mapping[str, Any]) -> None:  # Any: JSON
        payload = json.dumps(value, sort_keys=True).encode()
        self._chunk(name, BYTES, RAW, len(payload), payload)

    def column(self, name: str, dtype: int, values: npt.NDArray[Any]) -> None:  # Any: as in Column
        step = _CHUNK_BYTES // DTYPES[dtype].itemsize
        # A column without items still has a chunk: readers tell "none" from "not recorded".
        for start in range(0, max(len(values), 1), step):
            part = np.ascontiguousarray(values[start : start + step], DTYPES[dtype])
            self.payload(name, dtype, len(part), part.tobytes())

    def payload(self, name: str, dtype: int, items: int, raw: bytes) -> None:
        """One chunk, compressed if that was asked for and makes it smaller; small ones stay legible."""
        is_worth_it = self._compress and len(raw) >= _SMALLEST_PACKED
        width = DTYPES[dtype].itemsize
        is_shuffled = width > 1 and len(raw) == items * width
        packed = zlib.compress(_shuffled(raw, width) if is_shuffled else raw, _LEVEL) if is_worth_it else raw
        is_smaller = len(packed) < len(raw)
        codec = SHUFFLED if is_shuffled else ZLIB
        self._chunk(name, dtype, codec if is_smaller else RAW, items, packed if is_smaller else raw)

    def _chunk(self, name: str, dtype: int, codec: int, items: int, payload: bytes) -> None:
        fields = (b"CHNK", name.encode(), dtype, codec, 0)
        checksum = zlib.crc32(payload, zlib.crc32(_HEADER.pack(*fields, 0, self.count, items, len(payload))))
        self._file.write(_HEADER.pack(*fields, checksum, self.count, items, len(payload)))
        self._file.write(payload + bytes(-len(payload) % 8))
        self.count += 1


def _shuffled(raw: bytes, width: int) -> bytes:
    """The first byte of each item, then the second of each: numbers that are alike differ in few of them."""
    return np.frombuffer(raw, np.uint8).reshape(-1, width).T.tobytes()


def _array(values: list[int]) -> npt.NDArray[np.uint64]:
    return np.array(values, np.uint64)
