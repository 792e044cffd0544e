"""The chunk stream of a snapshot file: which columns there are, and one of them as an array."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.errors import SnapshotError
from leakscan.heap import sniff

BYTES: Final = 0
U8_ITEMS, U16_ITEMS, U32_ITEMS, U64_ITEMS = 1, 2, 3, 4
"""What a chunk says its items are (docs/format.md)."""
DTYPES: Final[Mapping[int, np.dtype[Any]]] = {  # Any: an integer type, which one is the key's business
    BYTES: np.dtype("<u1"),
    U8_ITEMS: np.dtype("<u1"),
    U16_ITEMS: np.dtype("<u2"),
    U32_ITEMS: np.dtype("<u4"),
    U64_ITEMS: np.dtype("<u8"),
    5: np.dtype("<i8"),
}
RAW, ZLIB, SHUFFLED = 0, 1, 2
"""SHUFFLED: zlib, of first all first bytes of the items, then all second ones, and so on."""

_TAKE_AGAIN = "the capture was interrupted; take the snapshot again"
_DAMAGED = "the file was changed after it was written; copy it again or take the snapshot again"
_OTHER_WRITER = "it was written by another tool or a newer leakscan; upgrade leakscan to read it"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One column of a snapshot file: where its payload lies, and how it is packed."""

    name: str
    dtype: int
    codec: int
    items: int
    payload_bytes: int
    offset: int


class ChunkFile:
    """An open snapshot whose headers have all been checked; payloads are read and checked on demand.

    Errors are SnapshotErrors that name the file, and the byte or the column.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        try:
            size = os.fstat(file.fileno()).st_size
            rows, problem, offset, value = _native.scan_chunks(file.fileno(), size)
        except OSError as error:
            raise SnapshotError(f"{name}: cannot be read: {error.strerror}") from error
        if problem:
            raise self._scan_error(problem, offset, value)
        self._in_order = [Chunk(*row) for row in rows]
        self._chunks: dict[str, list[Chunk]] = {}
        for chunk in self._in_order:
            self._chunks.setdefault(chunk.name, []).append(chunk)
        self._unread = set(self._chunks)
        self._check_end(len(rows) - 1)

    def __contains__(self, column: str) -> bool:
        return column in self._chunks

    def items(self, column: str) -> int:
        return sum(chunk.items for chunk in self._chunks.get(column, ()))

    def array(self, column: str, dtype: int) -> npt.NDArray[Any]:  # Any: the caller names the dtype
        """The whole column, read and checked; an empty array when the file does not have it."""
        for chunk in self._chunks.get(column, ()):
            if chunk.dtype != dtype:
                raise self.fault(column, f"has items of dtype {chunk.dtype}, not {dtype}", hint=_OTHER_WRITER)
        try:
            out = np.empty(self.items(column), DTYPES[dtype])
        except MemoryError as error:
            raise SnapshotError(
                f"{self.name}: column {column} has {self.items(column)} items, more than fit in memory",
                hint="read it on a machine with more memory",
            ) from error
        as_bytes, start = out.view(np.uint8), 0
        for chunk in self._chunks.get(column, ()):
            stop = start + chunk.items * out.itemsize
            self._read(chunk, as_bytes[start:stop])
            start = stop
        self._unread.discard(column)
        return out

    def check_unread(self) -> None:
        """Reads the columns nobody asked for: a known one may hide behind a damaged name."""
        for column in sorted(self._unread):
            self.array(column, self._chunks[column][0].dtype)

    def in_file_order(self) -> Iterator[Chunk]:
        return iter(self._in_order)

    def of(self, column: str) -> Sequence[Chunk]:
        """The chunks of one column, in their order; none when the file does not have it."""
        return self._chunks.get(column, ())

    def items_of(self, chunk: Chunk) -> npt.NDArray[Any]:  # Any: as in `array`
        """What one chunk holds, as items."""
        return self.payload(chunk).view(DTYPES[chunk.dtype])

    def payload(self, chunk: Chunk) -> npt.NDArray[np.uint8]:
        """What one chunk holds, decoded and checked."""
        out = np.empty(chunk.items * DTYPES[chunk.dtype].itemsize, np.uint8)
        self._read(chunk, out)
        return out

    def json(self, column: str) -> dict[str, Any]:  # Any: JSON
        try:
            value = json.loads(self.array(column, BYTES).tobytes())
        except (ValueError, RecursionError) as error:
            raise self.fault(column, f"is not JSON: {error}", hint=_DAMAGED) from error
        if not isinstance(value, dict):
            raise self.fault(column, "is not a JSON object", hint=_DAMAGED)
        return value

    def fault(self, column: str, what: str, *, hint: str = _DAMAGED) -> SnapshotError:
        """The error that says what is wrong with a column."""
        return SnapshotError(f"{self.name}: column {column} {what}", hint=hint)

    @property
    def is_open(self) -> bool:
        return not self._file.closed

    def close(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        # Columns that nobody asked for leave it open; under pytest a forgotten file is a failure.
        if hasattr(self, "_file"):
            self._file.close()

    def _check_end(self, chunks_before: int) -> None:
        self.end = self.json("end")
        if self.end.get("chunks") != chunks_before:
            raise SnapshotError(
                f"{self.name}: {chunks_before} chunks were read, {self.end.get('chunks')!r} were written",
                hint=_DAMAGED,
            )

    def _read(self, chunk: Chunk, out: npt.NDArray[np.uint8]) -> None:
        if chunk.codec == RAW:
            self._read_payload(chunk, out)
            return
        payload = np.empty(chunk.payload_bytes, np.uint8)
        self._read_payload(chunk, payload)
        inflater = zlib.decompressobj()
        try:
            # One byte more than announced shows a longer stream without inflating all of it.
            decoded = inflater.decompress(payload.data, len(out) + 1)
        except zlib.error as error:
            raise self._chunk_error(chunk, f"cannot be decompressed: {error}") from error
        if len(decoded) != len(out) or not inflater.eof or inflater.unused_data:
            raise self._chunk_error(chunk, f"does not decompress to the {len(out)} bytes it announces")
        found = np.frombuffer(decoded, np.uint8)
        if chunk.codec == SHUFFLED:
            width = DTYPES[chunk.dtype].itemsize
            found = found.reshape(width, -1).T.reshape(-1)
        out[:] = found

    def _read_payload(self, chunk: Chunk, out: npt.NDArray[np.uint8]) -> None:
        try:
            problem = _native.read_chunk(self._file.fileno(), chunk.offset, out)
        except OSError as error:
            raise SnapshotError(f"{self.name}: cannot be read: {error.strerror}") from error
        if problem == "bad checksum":
            raise self._chunk_error(chunk, "does not match its checksum")
        if problem:
            raise SnapshotError(
                f"{self.name}: changed while it was read, at byte {chunk.offset}",
                hint="wait until the capture has finished",
            )

    def _chunk_error(self, chunk: Chunk, what: str) -> SnapshotError:
        return SnapshotError(
            f"{self.name}: the chunk at byte {chunk.offset} ({chunk.name}) {what}", hint=_DAMAGED
        )

    def _scan_error(self, problem: str, offset: int, value: int) -> SnapshotError:
        if problem == "not a snapshot":
            return SnapshotError(
                f"{self.name}: not a snapshot: {sniff.looks_like(self._file)}",
                hint="give a file that `leakscan capture` or `leakscan.snapshot()` wrote",
            )
        what, hint = _SCAN_PROBLEMS[problem]
        return SnapshotError(f"{self.name}: " + what.format(offset=offset, value=value), hint=hint)


_SCAN_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "empty": ("the file is empty", _TAKE_AGAIN),
    "newer": ("snapshot format version {value}, this leakscan reads version 1", _OTHER_WRITER),
    "header cut": ("truncated at byte {offset}, inside a chunk header", _TAKE_AGAIN),
    "payload cut": ("truncated at byte {offset}, inside a chunk of {value} bytes", _TAKE_AGAIN),
    "no end": ("truncated at byte {offset}: the end chunk is missing", _TAKE_AGAIN),
    "chunk magic": ("no chunk begins at byte {offset}", _DAMAGED),
    "bad name": ("the chunk at byte {offset} has no proper name", _DAMAGED),
    "bad dtype": ("the chunk at byte {offset} has the unknown dtype {value}", _OTHER_WRITER),
    "bad codec": ("the chunk at byte {offset} has the unknown codec {value}", _OTHER_WRITER),
    "bad sequence": ("the chunk at byte {offset} has sequence number {value}: chunks are missing", _DAMAGED),
    "bad length": ("the chunk at byte {offset} announces {value} items, its payload holds others", _DAMAGED),
    "bomb": ("the chunk at byte {offset} announces {value} bytes, out of proportion to the file", _DAMAGED),
    "after end": ("bytes follow the end chunk, from byte {offset} on", _DAMAGED),
}
