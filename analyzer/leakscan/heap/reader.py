"""Reads a snapshot file, ours (docs/format.md) or V8's, into a HeapGraph."""

from __future__ import annotations

import gzip
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Final

from leakscan.heap.chunks import ChunkFile
from leakscan.heap.columns import LOADERS, check_lengths
from leakscan.heap.graph import HeapGraph
from leakscan.heap.opening import beginning, opened, spooled
from leakscan.heap.paged import paged_references
from leakscan.heap.source_maps import SourceMaps
from leakscan.heap.v8 import looks_like_v8, read
from leakscan.heap.v8_graph import graph_of

LAZY_FIELDS: Final = tuple(LOADERS)
_GZIP: Final = b"\x1f\x8b"
_MAGIC: Final = b"LEAKSCAN"
_OF_REFERENCES: Final = ("ref_kinds", "ref_labels", "ref_targets", "refcounts")


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
    file, name = opened(source)
    start = beginning(file, name)
    if start.startswith(_GZIP):
        file.seek(0)
        unpacked = beginning(gzip.GzipFile(fileobj=file), name)
        if unpacked.startswith(_MAGIC):
            file.seek(0)
            file, start = spooled(gzip.GzipFile(fileobj=file)), unpacked
        elif looks_like_v8(unpacked):
            start = unpacked
    if looks_like_v8(start):
        with file:
            return graph_of(read(file, name), source_maps)
    chunks = ChunkFile(file, name)
    check_lengths(chunks)
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
            is_shallow=chunks.end.get("shallow") is True,
            path=chunks.name,
        )
        return graph

    def __getattr__(self, name: str) -> Any:  # Any: one of the columns, whose types HeapGraph declares
        loader = LOADERS.get(name)
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
