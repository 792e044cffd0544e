"""Reads a snapshot file, ours (docs/format.md) or V8's, into a HeapGraph."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.errors import SnapshotError
from leakscan.heap.buffers import owned_buffers, with_items
from leakscan.heap.chunks import BYTES, ChunkFile
from leakscan.heap.graph import U8, U16, U32, U64, HeapGraph, Roots, StringTable, TypeTable
from leakscan.heap.kinds import BIRTH_UNKNOWN, NO_OBJECT, Kind, ObjectFlag, RootKind
from leakscan.heap.late import LateReferences
from leakscan.heap.paged import paged_references
from leakscan.heap.secrets import masked_table
from leakscan.heap.sniff import printable
from leakscan.heap.source_maps import SourceMaps
from leakscan.heap.sparse import SparseColumn, SparsePlaces
from leakscan.heap.v8 import looks_like_v8, read
from leakscan.heap.v8_graph import graph_of

_U8, _U16, _U32, _U64 = 1, 2, 3, 4
_GZIP: Final = b"\x1f\x8b"
_MAGIC: Final = b"LEAKSCAN"
_BEGINNING_BYTES: Final = 256
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
    ("late.src", "late.dst"),
    ("big.obj", "big.size"),
    ("site.file", "site.line", "site.func"),
)


def load(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    columns: Collection[str] | None = None,
    stays_open: bool = False,
    source_maps: SourceMaps | None = None,
) -> HeapGraph:
    """The heap of one snapshot, checked: every index in it may be followed.

    `columns` names the HeapGraph fields to read now; the others are read (and checked) when they are
    first used, for which the file stays open. None reads everything and closes the file, unless it
    `stays_open`, so that the graph may `forget` columns and read them again. `source` may be
    a file object, a pipe too; it is read from its beginning unless it has none. What is in it decides how it
    is read: a V8 heap snapshot is always read whole, and both kinds may be gzip'ed.
    `source_maps` say where the scripts of a V8 heap were compiled from.
    Raises SnapshotError for a file that is missing, truncated, corrupt or not a snapshot.
    """
    file, name = _opened(source)
    start = _beginning(file, name)
    if start.startswith(_GZIP):
        file.seek(0)
        unpacked = _beginning(gzip.GzipFile(fileobj=file), name)
        if unpacked.startswith(_MAGIC):
            file.seek(0)
            file, start = _spooled(gzip.GzipFile(fileobj=file)), unpacked
        elif looks_like_v8(unpacked):
            start = unpacked
    if looks_like_v8(start):
        with file:
            return graph_of(read(file, name), source_maps)
    chunks = ChunkFile(file, name)
    _check_lengths(chunks)
    graph = LoadedGraph.of(chunks)
    for column in LAZY_FIELDS if columns is None else columns:
        getattr(graph, column)
    if columns is None:
        chunks.check_unread()
        if not stays_open:
            chunks.close()
    return graph


def load_whole(path: str | os.PathLike[str]) -> HeapGraph:
    """As `load`, columns of references beside the others: kernels and files need no GIL."""
    graph = load(path, columns=())
    if isinstance(graph, LoadedGraph):
        graph.read_whole()
    return graph


def load_earlier(
    source: str | os.PathLike[str] | BinaryIO, *, source_maps: SourceMaps | None = None
) -> HeapGraph:
    """A heap that a later one of the same process is compared with: nothing of it is read before it is used.

    Its references stay in the file: `first_ref`, `ref_targets`, `ref_kinds` and `ref_labels` give what they
    are indexed with and are no arrays themselves. Raises SnapshotError as `load` does, later too.
    """
    graph = load(source, columns=(), source_maps=source_maps)
    if isinstance(graph, LoadedGraph):
        graph.page_references()
    return graph


def _beginning(file: BinaryIO | gzip.GzipFile, name: str) -> bytes:
    """The first bytes of `file`, which is left at its beginning; b"" for a damaged gzip file."""
    try:
        file.seek(0)
        return file.read(_BEGINNING_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""
    except OSError as error:
        raise SnapshotError(f"{name}: cannot be read: {error.strerror or error}") from error


MEMORY_FIGURES: Final = (
    "object_block_bytes",
    "pool_used_bytes",
    "pool_resident_bytes",
    "pools",
    "births_bytes",
)
"""Items of the column `memory`, in their order (docs/format.md)."""


@dataclass(frozen=True, slots=True)
class Census:
    """Objects and shallow bytes for each type of one process, without its graph."""

    type_names: tuple[str, ...]
    counts: U64
    bytes: U64
    meta: Mapping[str, Any]  # Any: JSON
    memory: Mapping[str, int]
    """bytes by MEMORY_FIGURES, {} when the recorder did not tell"""


def load_census(source: str | os.PathLike[str] | BinaryIO) -> Census:
    """The census in a snapshot that was written with types only. SnapshotError as in `load`."""
    file, name = _opened(source)
    chunks = ChunkFile(file, name)
    counts, sizes = chunks.array("census.count", _U64), chunks.array("census.bytes", _U64)
    strings = _load_strings(chunks)
    modules = _string_column(chunks, "type.module", len(strings))
    names = _string_column(chunks, "type.name", len(strings))
    if not len(counts) == len(sizes) == len(names) == len(modules):
        raise chunks.fault("census.count", "does not have one item for each type")
    meta = chunks.json("meta")
    memory = memory_of(chunks)
    chunks.close()
    rows = zip(modules.tolist(), names.tolist(), strict=True)
    return Census(tuple(_dotted(strings[m], strings[n]) for m, n in rows), counts, sizes, meta, memory)


def memory_of(chunks: ChunkFile) -> dict[str, int]:
    """The column `memory` by the names of its items; {} when the file does not have it."""
    return dict(zip(MEMORY_FIGURES, chunks.array("memory", _U64).tolist(), strict=False))


class LoadedGraph(HeapGraph):
    """A HeapGraph whose columns are read from the file when they are first used."""

    _chunks: ChunkFile

    @classmethod
    def of(cls, chunks: ChunkFile) -> LoadedGraph:
        # Not through __init__, which wants every column: those absent from __dict__ come by __getattr__.
        graph = cls.__new__(cls)
        meta = chunks.json("meta")
        runtime, warnings = meta.get("runtime"), chunks.end.get("warnings", [])
        if not isinstance(runtime, str):
            raise chunks.fault("meta", "does not say which runtime was recorded")
        if not isinstance(warnings, list):
            raise chunks.fault("end", "has warnings that are not a list")
        graph.__dict__.update(
            _chunks=chunks,
            runtime=runtime,
            meta=meta,
            warnings=tuple(str(warning) for warning in warnings),
            path=chunks.name,
        )
        return graph

    def __getattr__(self, name: str) -> Any:  # Any: one of the columns, whose types HeapGraph declares
        loader = _LOADERS.get(name)
        if loader is None or "_chunks" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = loader(self._chunks, self)
        self.__dict__[name] = value
        return value

    def read_whole(self) -> None:
        """Every column, in two threads, and closes the file. SnapshotError as `load`."""
        # What the others are checked against, once.
        _ = self.strings
        with ThreadPoolExecutor(1) as beside:
            of_references = beside.submit(lambda: [getattr(self, name) for name in _OF_REFERENCES])
            for name in LAZY_FIELDS:
                if name not in _OF_REFERENCES:
                    getattr(self, name)
            of_references.result()
        self._chunks.check_unread()
        self._chunks.close()

    def page_references(self) -> None:
        """Columns of references that are not read yet stay in the file."""
        if not self._chunks.items("late.src"):
            self.__dict__.update(paged_references(self._chunks))

    def forget(self, *columns: str) -> None:
        if "_chunks" in self.__dict__ and self._chunks.is_open:
            for column in columns:
                self.__dict__.pop(column, None)

    @property
    def object_count(self) -> int:
        return self._chunks.items("obj.type") if "_chunks" in self.__dict__ else len(self.type_ids)

    @property
    def reference_count(self) -> int:
        if "_chunks" not in self.__dict__:
            return len(self.ref_targets)
        return self._chunks.items("ref.dst") + self._chunks.items("late.src")


def _opened(source: str | os.PathLike[str] | BinaryIO) -> tuple[BinaryIO, str]:
    """A seekable file with a descriptor, and the name to show for it."""
    if not isinstance(source, str | os.PathLike):
        name = getattr(source, "name", "")
        return _spooled(source), printable(name) if isinstance(name, str) and name else "<snapshot>"
    name = printable(source)
    try:
        file = open(source, "rb")  # noqa: SIM115 (open for as long as columns are still to be read)
    except IsADirectoryError as error:
        raise SnapshotError(
            f"{name}: is a directory", hint="name one .heap file in it, or give a capture directory to `diff`"
        ) from error
    except FileNotFoundError as error:
        raise SnapshotError(f"{name}: no such file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SnapshotError(f"{name}: cannot be read: {reason}") from error
    return (file, name) if file.seekable() else (_spooled(file), name)


def _spooled(file: BinaryIO | gzip.GzipFile) -> BinaryIO:
    """`file` itself when it can be read at any offset, else a temporary copy of what it still gives."""
    try:
        if not isinstance(file, gzip.GzipFile) and os.lseek(file.fileno(), 0, os.SEEK_CUR) >= 0:
            return file
    except (OSError, AttributeError):
        pass  # a BytesIO has no descriptor, a pipe has no offsets: both are copied
    try:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 (as above)
        shutil.copyfileobj(file, copy)
        copy.flush()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SnapshotError(f"cannot be decompressed: {error}", hint="copy the file again") from error
    except OSError as error:
        hint = "free some space or set TMPDIR" if error.errno == errno.ENOSPC else ""
        raise SnapshotError(f"cannot keep a copy of the stream: {error.strerror}", hint=hint) from error
    return copy


def _check_lengths(chunks: ChunkFile) -> None:
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


def _string_column(chunks: ChunkFile, column: str, string_count: int) -> U32:
    return _checked(chunks, column, chunks.array(column, _U32), string_count, "strings")


def _object_column(chunks: ChunkFile, column: str) -> U32:
    return _checked(chunks, column, chunks.array(column, _U32), chunks.items("obj.type"), "objects")


def _load_strings(chunks: ChunkFile) -> StringTable:
    blob, ends = chunks.array("str.bytes", BYTES), chunks.array("str.ends", _U64)
    fault = _native.first_not_monotone(ends, len(blob))
    if fault is not None:
        raise chunks.fault("str.ends", f"item {fault} does not lie between its neighbours")
    if len(ends) == 0 or ends[0] != 0:
        raise chunks.fault("str.ends", "does not begin with the empty string")
    return masked_table(StringTable(blob.data, ends))


def _load_types(chunks: ChunkFile, graph: HeapGraph) -> TypeTable:
    objects = chunks.array("type.obj", _U32)
    _checked(chunks, "type.obj", objects, chunks.items("obj.type"), "objects", exempt=NO_OBJECT)
    return TypeTable(
        objects,
        _string_column(chunks, "type.module", len(graph.strings)),
        _string_column(chunks, "type.name", len(graph.strings)),
        chunks.array("type.flags", _U8),
    )


def _load_roots(chunks: ChunkFile, graph: HeapGraph) -> Roots:
    kinds = chunks.array("root.kind", _U8)
    known = (kinds >= RootKind.MODULE) & (kinds <= RootKind.STATIC_TYPE)
    if not known.all():
        raise chunks.fault("root.kind", f"has the unknown kind {int(kinds[~known][0])}")
    return Roots(
        kinds,
        _string_column(chunks, "root.label", len(graph.strings)),
        _object_column(chunks, "root.dst"),
        chunks.array("root.flags", _U8),
    )


def _load_sizes(chunks: ChunkFile, graph: HeapGraph) -> U32 | U64:
    sizes: U32 = chunks.array("obj.size", _U32)
    big, big_sizes = _object_column(chunks, "big.obj"), chunks.array("big.size", _U64)
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
    flags: U8 = _optional(chunks, "obj.flags", _U8, 0)
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
    total = _native.prefix_sum(chunks.array("obj.refs", _U32), first)
    if total != chunks.items("ref.dst"):
        raise chunks.fault("obj.refs", f"adds up to {total}, there are {chunks.items('ref.dst')} references")
    return first


def _load_ref_kinds(chunks: ChunkFile, graph: HeapGraph) -> npt.NDArray[np.uint8]:
    kinds: npt.NDArray[np.uint8] = chunks.array("ref.kind", _U8)
    fault = _native.first_unknown_kind(kinds)
    if fault is not None:
        raise chunks.fault("ref.kind", f"item {fault} is of the unknown kind {int(kinds[fault]) & 0x7F}")
    return _with_late(chunks, kinds, Kind.UNNAMED)


def _load_ref_labels(chunks: ChunkFile, graph: HeapGraph) -> U32:
    labels: U32 = chunks.array("ref.label", _U32)
    fault = _native.first_bad_label(
        chunks.array("ref.kind", _U8) if chunks.items("late.src") else graph.ref_kinds,
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
    return _checked(chunks, "obj.site", _optional(chunks, "obj.site", _U32, 0), count + 1, "sites")


def _load_works(chunks: ChunkFile, graph: HeapGraph) -> U16:
    rows = chunks.items("work.name")
    if rows != chunks.items("work.begun"):
        raise chunks.fault("work.begun", "does not have one item for each work")
    works: U16 = chunks.array("obj.work", _U16) if rows else np.zeros(0, np.uint16)
    if len(works) and int(works.max()) >= rows:
        raise chunks.fault("obj.work", f"has a work {int(works.max())}, there are only {rows}")
    if rows and len(works) != chunks.items("obj.type"):
        raise chunks.fault("obj.work", "does not have one item for each object")
    return works


def _optional(chunks: ChunkFile, column: str, dtype: int, default: int) -> npt.NDArray[Any]:
    """A per-object column, or `default` for every object when the file does not have it."""
    if column in chunks:
        return chunks.array(column, dtype)
    item = {_U8: np.uint8, _U16: np.uint16, _U32: np.uint32, _U64: np.uint64}[dtype]
    count = chunks.items("obj.type")
    # Zeros that nobody writes to take no memory.
    return np.full(count, default, item) if default else np.zeros(count, item)


def _dotted(module: str, name: str) -> str:
    return name if module in ("", "builtins") else f"{module}.{name}"


_Loader = Callable[[ChunkFile, HeapGraph], Any]  # Any: each field has its own type
_LOADERS: Final[Mapping[str, _Loader]] = {
    "strings": lambda chunks, graph: _load_strings(chunks),
    "types": _load_types,
    "addresses": lambda chunks, graph: _optional(chunks, "obj.addr", _U64, 0),
    "type_ids": lambda chunks, graph: _checked(
        chunks, "obj.type", chunks.array("obj.type", _U32), chunks.items("type.name"), "types"
    ),
    "sizes": _load_sizes,
    "refcounts": lambda chunks, graph: _optional(chunks, "obj.refcount", _U32, 0),
    "births": lambda chunks, graph: _optional(chunks, "obj.birth", _U16, BIRTH_UNKNOWN),
    "flags": _load_flags,
    "sites": _load_sites,
    "first_ref": _load_first_ref,
    "ref_targets": lambda chunks, graph: _with_late(chunks, _object_column(chunks, "ref.dst"), None),
    "ref_kinds": _load_ref_kinds,
    "ref_labels": _load_ref_labels,
    "roots": _load_roots,
    "names": lambda chunks, graph: SparseColumn(
        _object_column(chunks, "name.obj"), _string_column(chunks, "name.str", len(graph.strings))
    ),
    "locations": lambda chunks, graph: SparsePlaces(
        _object_column(chunks, "loc.obj"),
        _string_column(chunks, "loc.file", len(graph.strings)),
        chunks.array("loc.line", _U32),
    ),
    "bounds": lambda chunks, graph: SparseColumn(
        _object_column(chunks, "bound.obj"), chunks.array("bound.size", _U64)
    ),
    "text_objects": lambda chunks, graph: _object_column(chunks, "text.obj"),
    "text_lengths": lambda chunks, graph: chunks.array("text.length", _U32),
    "text_hashes": lambda chunks, graph: chunks.array("text.hash", _U64),
    # V8's alone, which is read from its own files.
    "script_places": lambda chunks, graph: np.zeros((0, 4), np.uint32),
    "site_files": lambda chunks, graph: _string_column(chunks, "site.file", len(graph.strings)),
    "site_lines": lambda chunks, graph: chunks.array("site.line", _U32),
    "works": _load_works,
    "work_names": lambda chunks, graph: _string_column(chunks, "work.name", len(graph.strings)),
    "works_begun": lambda chunks, graph: chunks.array("work.begun", _U64),
    "site_functions": lambda chunks, graph: _string_column(chunks, "site.func", len(graph.strings)),
}
LAZY_FIELDS: Final = tuple(_LOADERS)
_OF_REFERENCES: Final = ("ref_kinds", "ref_labels", "ref_targets", "refcounts")
