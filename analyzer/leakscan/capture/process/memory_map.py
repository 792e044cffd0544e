"""What is mapped where in another process, and what is written there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

_END_OF_USER_SPACE: Final = 1 << 57
_MOST_BYTES: Final = 1 << 28
"""At once; a C library's code has two million."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    path: str
    """"" when anonymous; ` (deleted)` of a file that is gone is cut off"""

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]


def mappings_of(pid: int) -> list[Mapping]:
    """In address order. OSError: it is gone, or may not be looked at."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            place, permissions, offset, _, _, *path = line.rstrip("\n").split(None, 5)
            start, _, end = place.partition("-")
            name = path[0].removesuffix(" (deleted)") if path else ""
            found.append(Mapping(int(start, 16), int(end, 16), permissions, int(offset, 16), name))
    return found


class Memory:
    """The memory of another process, open for reading, and for writing while a thread of it is held."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def read(self, address: int, size: int) -> bytes:
        """OSError: some of it is not mapped."""
        block = self._some(address, size)
        if len(block) != size:
            raise OSError(f"memory at {address:#x} ends early")
        return block

    def write(self, address: int, block: bytes) -> None:
        if os.pwrite(self._file, block, address) != len(block):
            raise OSError(f"memory at {address:#x} ends early")

    def number(self, address: int, size: int = 8) -> int:
        return int.from_bytes(self.read(address, size), "little")

    def text(self, address: int, most: int = 256) -> bytes:
        """A C string, cut at `most` bytes or at the end of its page."""
        room = min(most, 4096 - address % 4096)
        text = self._some(address, room)
        if b"\0" not in text and room < most:
            text += self._some(address + room, most - room)
        return text.partition(b"\0")[0]

    def _some(self, address: int, size: int) -> bytes:
        if not 0 <= address < _END_OF_USER_SPACE or not 0 <= size <= _MOST_BYTES:
            raise OSError(f"no process has memory at {address:#x}")
        return os.pread(self._file, size, address)
