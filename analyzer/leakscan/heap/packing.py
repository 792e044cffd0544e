"""Compresses a snapshot while it arrives, so that the whole of it never lies on the disk."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Final

from leakscan.heap.chunks import DTYPES, RAW
from leakscan.heap.writer import ChunkStream

_HEAD: Final = 16
_HEADER: Final = struct.Struct("<4s16sBBHIIQQ")
_MOST_PAYLOAD: Final = 16 << 20
"""The recorder's chunks have 256 kB; one of this size was not written by it."""


class Packing:
    """A file to `write` a stream of raw chunks to in any pieces; what arrives in `file` is compressed.

    From the first byte on that is no raw chunk with the right checksum everything is passed on as it is: the
    reader says then what is wrong with it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending = bytearray()
        self._stream: ChunkStream | None = None
        self._is_raw = False

    def write(self, block: bytes) -> None:
        if self._is_raw:
            self._file.write(block)
            return
        self._pending += block
        while not self._is_raw and self._take():
            pass

    def close(self) -> None:
        """What has not become a whole chunk is passed on as it is. The file stays open."""
        self._give_up()

    def _take(self) -> bool:
        """Whether a chunk was taken off the front."""
        pending = self._pending
        if self._stream is None:
            if len(pending) < _HEAD:
                return False
            if bytes(pending[:_HEAD]) != b"LEAKSCAN" + struct.pack("<II", 1, 0):
                return self._give_up()
            self._stream = ChunkStream(self._file, compress=True)
            del pending[:_HEAD]
        if len(pending) < _HEADER.size:
            return False
        fields = _HEADER.unpack_from(pending)
        magic, name, dtype, codec, reserved, checksum, sequence, items, size = fields
        is_known = magic == b"CHNK" and codec == RAW and not reserved and dtype in DTYPES
        if not is_known or size > _MOST_PAYLOAD or sequence != self._stream.count:
            return self._give_up()
        end = _HEADER.size + size
        padded = end + -size % 8
        if len(pending) < padded:
            return False
        payload = bytes(pending[_HEADER.size : end])
        unsigned = _HEADER.pack(*fields[:5], 0, *fields[6:])
        if zlib.crc32(payload, zlib.crc32(unsigned)) != checksum or any(pending[end:padded]):
            return self._give_up()
        if not name.isascii():
            return self._give_up()
        del pending[:padded]
        self._stream.payload(name.rstrip(b"\0").decode("ascii"), dtype, items, payload)
        return True

    def _give_up(self) -> bool:
        self._is_raw = True
        self._file.write(self._pending)
        self._pending = bytearray()
        return False
