"""Columns of a snapshot file as HeapGraph has them, checked when they are read: an index may be followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.heap.buffers import owned_buffers, with_items
from leakscan.heap.chunks import BYTES, U8_ITEMS, U16_ITEMS, U32_ITEMS, U64_ITEMS, ChunkFile
from leakscan.heap.graph import U8, U16, U32, U64, HeapGraph, Roots, StringTable, TypeTable
from leakscan.heap.kinds import BIRTH_UNKNOWN, NO_OBJECT, Kind, ObjectFlag, RootKind
from leakscan.heap.late import LateReferences
from leakscan.heap.secrets import masked_table
from leakscan.heap.sparse import SparseColumn, SparsePlaces

_BIG_SIZE: Final = 0xFFFFFFFF
_REQUIRED: Final = (
    "meta",
    "str.ends",
    "type.obj",
    "type.module",
    "type.name",
    "type.flags",
    "obj.type",
    "obj.size",
    "obj.refs",
    "ref.dst",
    "ref.kind",
    "ref.label",
)
_SAME_LENGTH: Final = (
    ("obj.type", "obj.addr", "obj.size", "obj.refcount", "obj.birth", "obj.flags", "obj.refs", "obj.site"),
    ("ref.dst", "ref.kind", "ref.label"),
    ("type.name", "type.obj", "type.module", "type.flags"),
    ("root.dst", "root.kind", "root.label", "root.flags"),
    ("name.obj", "name.str"),
    ("loc.obj", "loc.file", "loc.line"),
    ("bound.obj", "bound.size"),
    ("text.obj", "text.length", "text.hash"),
    ("value.obj", "value.str"),
    ("late.src", "late.dst"),
    ("big.obj", "big.size"),
    ("site.file", "site.line", "site.func"),
)


def check_lengths(chunks: ChunkFile) -> None:
    for column in _REQUIRED:
        if column not in chunks:
            raise chunks.fault(
                column, "is missing", hint="the snapshot is incomplete or not of a heap; take it again"
            )
    for first, *others in _SAME_LENGTH:
        for other in others:
            is_optional = first == "obj.type" and other not in chunks
            if not is_optional and chunks.items(other) != chunks.items(first):
                raise chunks.fault(
                    other, f"has {chunks.items(other)} items, {first} has {chunks.items(first)}"
                )
    if chunks.items("obj.type") >= NO_OBJECT:
        raise chunks.fault("obj.type", "has more than 2**32 - 2 objects")


def _checked(
    chunks: ChunkFile, column: str, values: U32, limit: int, of: str, *, exempt: int | None = None
) -> U32:
    """`values`, every one of them below `limit`."""
    fault = _native.first_not_below(values, limit, exempt)
    if fault is not None:
        raise chunks.fault(column, f"item {fault} is {int(values[fault])}, there are only {limit} {of}")
    return values


def string_column(chunks: ChunkFile, column: str, string_count: int) -> U32:
    return _checked(chunks, column, chunks.array(column, U32_ITEMS), string_count, "strings")


def _object_column(chunks: ChunkFile, column: str) -> U32:
    return _checked(chunks, column, chunks.array(column, U32_ITEMS), chunks.items("obj.type"), "objects")


def load_strings(chunks: ChunkFile) -> StringTable:
    blob, ends = chunks.array("str.bytes", BYTES), chunks.array("str.ends", U64_ITEMS)
    fault = _native.first_not_monotone(ends, len(blob))
    if fault is not None:
        raise chunks.fault("str.ends", f"item {fault} does not lie between its neighbours")
    if len(ends) == 0 or ends[0] != 0:
        raise chunks.fault("str.ends", "does not begin with the empty string")
    return masked_table(StringTable(blob.data, ends))


def _load_types(chunks: ChunkFile, graph: HeapGraph) -> TypeTable:
    objects = chunks.array("type.obj", U32_ITEMS)
    _checked(chunks, "type.obj", objects, chunks.items("obj.type"), "objects", exempt=NO_OBJECT)
    return TypeTable(
        objects,
        string_column(chunks, "type.module", len(graph.strings)),
        string_column(chunks, "type.name", len(graph.strings)),
        chunks.array("type.flags", U8_ITEMS),
    )


def _load_roots(chunks: ChunkFile, graph: HeapGraph) -> Roots:
    kinds = chunks.array("root.kind", U8_ITEMS)
    known = (kinds >= RootKind.MODULE) & (kinds <= RootKind.STATIC_TYPE)
    if not known.all():
        raise chunks.fault("root.kind", f"has the unknown kind {int(kinds[~known][0])}")
    return Roots(
        kinds,
        string_column(chunks, "root.label", len(graph.strings)),
        _object_column(chunks, "root.dst"),
        chunks.array("root.flags", U8_ITEMS),
    )


def _load_sizes(chunks: ChunkFile, graph: HeapGraph) -> U32 | U64:
    sizes: U32 = chunks.array("obj.size", U32_ITEMS)
    big, big_sizes = _object_column(chunks, "big.obj"), chunks.array("big.size", U64_ITEMS)
    announced = np.flatnonzero(sizes == _BIG_SIZE)
    if not np.array_equal(np.sort(big), announced):
        raise chunks.fault("big.obj", "does not list exactly the objects whose size is elsewhere")
    buffers = owned_buffers(graph)
    if not len(big):
        return with_items(sizes, buffers, 0)
    wide: U64 = sizes.astype(np.uint64)
    wide[big] = big_sizes
    return with_items(wide, buffers, 0)


def _load_flags(chunks: ChunkFile, graph: HeapGraph) -> U8:
    flags: U8 = _optional(chunks, "obj.flags", U8_ITEMS, 0)
    buffers = owned_buffers(graph)
    return with_items(flags, buffers, flags[buffers] | np.uint8(ObjectFlag.SYNTHETIC))


def _load_first_ref(chunks: ChunkFile, graph: HeapGraph) -> U64:
    late = _late(chunks)
    return late.shifted(_walked_first_ref(chunks)) if len(late) else _walked_first_ref(chunks)


def _late(chunks: ChunkFile) -> LateReferences:
    return LateReferences.of(_object_column(chunks, "late.src"), _object_column(chunks, "late.dst"))


def _with_late(
    chunks: ChunkFile, column: npt.NDArray[Any], value: int | None
) -> npt.NDArray[Any]:  # Any: the columns differ in width
    """The column of the walk with the late references between; their targets when `value` is None."""
    late = _late(chunks)
    if not len(late):
        return column
    return late.inserted(column, _walked_first_ref(chunks), late.targets if value is None else value)


def _walked_first_ref(chunks: ChunkFile) -> U64:
    first = np.empty(chunks.items("obj.type") + 1, np.uint64)
    total = _native.prefix_sum(chunks.array("obj.refs", U32_ITEMS), first)
    if total != chunks.items("ref.dst"):
        raise chunks.fault("obj.refs", f"adds up to {total}, there are {chunks.items('ref.dst')} references")
    return first


def _load_ref_kinds(chunks: ChunkFile, graph: HeapGraph) -> npt.NDArray[np.uint8]:
    kinds: npt.NDArray[np.uint8] = chunks.array("ref.kind", U8_ITEMS)
    fault = _native.first_unknown_kind(kinds)
    if fault is not None:
        raise chunks.fault("ref.kind", f"item {fault} is of the unknown kind {int(kinds[fault]) & 0x7F}")
    return _with_late(chunks, kinds, Kind.UNNAMED)


def _load_ref_labels(chunks: ChunkFile, graph: HeapGraph) -> U32:
    labels: U32 = chunks.array("ref.label", U32_ITEMS)
    fault = _native.first_bad_label(
        chunks.array("ref.kind", U8_ITEMS) if chunks.items("late.src") else graph.ref_kinds,
        labels,
        len(graph.strings),
    )
    if fault is not None:
        raise chunks.fault(
            "ref.label", f"item {fault} is {int(labels[fault])}, there are only {len(graph.strings)} strings"
        )
    return _with_late(chunks, labels, 0)


def _load_sites(chunks: ChunkFile, graph: HeapGraph) -> U32:
    count = chunks.items("site.file")
    return _checked(chunks, "obj.site", _optional(chunks, "obj.site", U32_ITEMS, 0), count + 1, "sites")


def _load_works(chunks: ChunkFile, graph: HeapGraph) -> U16:
    rows = chunks.items("work.name")
    if rows != chunks.items("work.begun"):
        raise chunks.fault("work.begun", "does not have one item for each work")
    works: U16 = chunks.array("obj.work", U16_ITEMS) if rows else np.zeros(0, np.uint16)
    if len(works) and int(works.max()) >= rows:
        raise chunks.fault("obj.work", f"has a work {int(works.max())}, there are only {rows}")
    if rows and len(works) != chunks.items("obj.type"):
        raise chunks.fault("obj.work", "does not have one item for each object")
    return works


def _optional(chunks: ChunkFile, column: str, dtype: int, default: int) -> npt.NDArray[Any]:
    """A per-object column, or `default` for every object when the file does not have it."""
    if column in chunks:
        return chunks.array(column, dtype)
    item = {U8_ITEMS: np.uint8, U16_ITEMS: np.uint16, U32_ITEMS: np.uint32, U64_ITEMS: np.uint64}[dtype]
    count = chunks.items("obj.type")
    # Zeros that nobody writes to take no memory.
    return np.full(count, default, item) if default else np.zeros(count, item)


_Loader = Callable[[ChunkFile, HeapGraph], Any]  # Any: each field has its own type
LOADERS: Final[Mapping[str, _Loader]] = {
    "strings": lambda chunks, graph: load_strings(chunks),
    "types": _load_types,
    "addresses": lambda chunks, graph: _optional(chunks, "obj.addr", U64_ITEMS, 0),
    "type_ids": lambda chunks, graph: _checked(
        chunks, "obj.type", chunks.array("obj.type", U32_ITEMS), chunks.items("type.name"), "types"
    ),
    "sizes": _load_sizes,
    "refcounts": lambda chunks, graph: _optional(chunks, "obj.refcount", U32_ITEMS, 0),
    "births": lambda chunks, graph: _optional(chunks, "obj.birth", U16_ITEMS, BIRTH_UNKNOWN),
    "flags": _load_flags,
    "sites": _load_sites,
    "first_ref": _load_first_ref,
    "ref_targets": lambda chunks, graph: _with_late(chunks, _object_column(chunks, "ref.dst"), None),
    "ref_kinds": _load_ref_kinds,
    "ref_labels": _load_ref_labels,
    "roots": _load_roots,
    "names": lambda chunks, graph: SparseColumn(
        _object_column(chunks, "name.obj"), string_column(chunks, "name.str", len(graph.strings))
    ),
    "locations": lambda chunks, graph: SparsePlaces(
        _object_column(chunks, "loc.obj"),
        string_column(chunks, "loc.file", len(graph.strings)),
        chunks.array("loc.line", U32_ITEMS),
    ),
    "bounds": lambda chunks, graph: SparseColumn(
        _object_column(chunks, "bound.obj"), chunks.array("bound.size", U64_ITEMS)
    ),
    "text_objects": lambda chunks, graph: _object_column(chunks, "text.obj"),
    "text_lengths": lambda chunks, graph: chunks.array("text.length", U32_ITEMS),
    "text_hashes": lambda chunks, graph: chunks.array("text.hash", U64_ITEMS),
    "text_values": lambda chunks, graph: SparseColumn(
        _object_column(chunks, "value.obj"), string_column(chunks, "value.str", len(graph.strings))
    ),
    # V8's alone, which is read from its own files.
    "script_places": lambda chunks, graph: np.zeros((0, 4), np.uint32),
    "site_files": lambda chunks, graph: string_column(chunks, "site.file", len(graph.strings)),
    "site_lines": lambda chunks, graph: chunks.array("site.line", U32_ITEMS),
    "works": _load_works,
    "work_names": lambda chunks, graph: string_column(chunks, "work.name", len(graph.strings)),
    "works_begun": lambda chunks, graph: chunks.array("work.begun", U64_ITEMS),
    "site_functions": lambda chunks, graph: string_column(chunks, "site.func", len(graph.strings)),
}
