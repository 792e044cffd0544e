"""Exported symbols of a library as it lies in another process's memory.

Read from memory, not from the file: that works across containers, and when the file was replaced by an
upgrade or deleted. Whatever a damaged or hostile image says, reading ends: every loop is bounded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from leakscan.capture.process.memory_map import Mapping, Memory

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 4, 5, 6, 0x6FFFFEF5
_DT_VERDEF, _DT_VERDEFNUM = 0x6FFFFFFC, 0x6FFFFFFD
_SYMBOL_BYTES: Final = 24
_MOST: Final = 4096
"""Of anything that a chain or a table may hold here."""


class NotAnImage(Exception):
    """No 64-bit ELF image is mapped there, or it has no dynamic section."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """Where a name of a library is in the target."""

    address: int
    size: int


class Image:
    """One library. OSError and NotAnImage while it is made; lookups give None for what is not there."""

    def __init__(self, memory: Memory, mapping: Mapping) -> None:
        self._memory = memory
        head = memory.read(mapping.start, 64)
        if head[:4] != b"\x7fELF" or head[4] != 2 or head[5] != 1:
            raise NotAnImage(mapping.path)
        self.machine = struct.unpack_from("<H", head, 18)[0]
        (headers_at,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        dynamic = 0
        bias = mapping.start
        for i in range(min(count, 64)):
            row = memory.read(mapping.start + headers_at + i * size, 56)
            kind, _, offset, address = struct.unpack_from("<IIQQ", row)
            if kind == _PT_LOAD and offset == 0:
                bias = mapping.start - address
            elif kind == _PT_DYNAMIC:
                dynamic = address
        if not dynamic:
            raise NotAnImage(mapping.path)
        self._bias = bias
        self._table = self._dynamic_section(bias + dynamic)

    def symbol(self, name: str) -> Symbol | None:
        """A symbol that the image defines itself."""
        strings, symbols = self._table.get(_DT_STRTAB), self._table.get(_DT_SYMTAB)
        if strings is None or symbols is None:
            return None
        encoded = name.encode()
        for index in self._candidates(encoded):
            row = self._memory.read(symbols + index * _SYMBOL_BYTES, _SYMBOL_BYTES)
            name_at, _, _, section, value, size = struct.unpack("<IBBHQQ", row)
            if section and self._memory.text(strings + name_at, len(encoded) + 1) == encoded:
                return Symbol(self._bias + value, size)
        return None

    def versions(self) -> set[str]:
        """The symbol versions it defines: `GLIBC_2.36` ..."""
        found: set[str] = set()
        at, strings = self._table.get(_DT_VERDEF), self._table.get(_DT_STRTAB)
        for _ in range(min(self._table.get(_DT_VERDEFNUM, 0), _MOST)):
            if at is None or strings is None:
                break
            row = struct.unpack("<HHHHIII", self._memory.read(at, 20))
            name_at = self._memory.number(at + row[5], 4)
            found.add(self._memory.text(strings + name_at).decode("ascii", "replace"))
            if not row[6]:
                break
            at += row[6]
        return found

    def _dynamic_section(self, at: int) -> dict[int, int]:
        table = {}
        for i in range(256):
            tag, value = struct.unpack("<qQ", self._memory.read(at + 16 * i, 16))
            if tag == 0:
                break
            # The loader turns these into addresses; images it has not touched hold offsets.
            is_place = tag in (_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH, _DT_VERDEF)
            table[tag] = value + self._bias if is_place and value < self._bias else value
        return table

    def _candidates(self, name: bytes) -> list[int]:
        if _DT_GNU_HASH in self._table:
            return self._in_gnu_hash(self._table[_DT_GNU_HASH], name)
        return self._in_old_hash(self._table[_DT_HASH], name) if _DT_HASH in self._table else []

    def _in_gnu_hash(self, at: int, name: bytes) -> list[int]:
        hashed = 5381
        for byte in name:
            hashed = (hashed * 33 + byte) & 0xFFFFFFFF
        bucket_count, first, bloom_words, _ = struct.unpack("<4I", self._memory.read(at, 16))
        if not bucket_count:
            return []
        buckets = at + 16 + 8 * bloom_words
        index = self._memory.number(buckets + 4 * (hashed % bucket_count), 4)
        if index < first:
            return []
        chain = buckets + 4 * bucket_count
        found = []
        for _ in range(_MOST):
            other = self._memory.number(chain + 4 * (index - first), 4)
            if other | 1 == hashed | 1:
                found.append(index)
            if other & 1:
                break
            index += 1
        return found

    def _in_old_hash(self, at: int, name: bytes) -> list[int]:
        hashed = 0
        for byte in name:
            hashed = (hashed << 4) + byte
            hashed = (hashed ^ ((hashed & 0xF0000000) >> 24)) & 0x0FFFFFFF
        bucket_count, chain_count = struct.unpack("<2I", self._memory.read(at, 8))
        if not bucket_count:
            return []
        index = self._memory.number(at + 8 + 4 * (hashed % bucket_count), 4)
        found: list[int] = []
        while index and index < chain_count and len(found) < _MOST:
            found.append(index)
            index = self._memory.number(at + 8 + 4 * (bucket_count + index), 4)
        return found
