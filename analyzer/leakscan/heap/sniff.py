"""What a file that is not a snapshot looks like, so that the error can say it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

CAPSULE_FORMAT: Final = "leakscan-capsule"
_HEAD_BYTES: Final = 64
_BEGINNINGS: Final = (
    (b"\x1f\x8b", "it looks like a gzip file"),
    (b"\x28\xb5\x2f\xfd", "it looks like a zstd file"),
    (b"\xfd7zXZ\x00", "it looks like an xz file"),
    (b"BZh", "it looks like a bzip2 file"),
    (b"PK\x03\x04", "it looks like a zip archive"),
    (b"\x7fELF", "it looks like an ELF program or core file"),
    (b"MZ", "it looks like a Windows program"),
    (b"SQLite format 3", "it looks like an SQLite database"),
    (b"JAVA PROFILE", "it looks like a Java heap dump"),
    (b"memray", "it looks like a memray capture"),
    (b"%PDF", "it looks like a PDF"),
    (b"<", "it looks like HTML or XML"),
)


def looks_like(file: BinaryIO) -> str:
    """One clause about the first bytes of `file`, whose position is left at an unspecified place."""
    file.seek(0)
    start = file.read(256)
    for beginning, clause in _BEGINNINGS:
        if start.startswith(beginning):
            return clause
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"{"):
        return "it looks like a V8 heap snapshot" if b'"snapshot"' in text else "it looks like JSON"
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return "it looks like a pickle"
    if start and not start.strip(b"\x00"):
        return "it begins with zero bytes"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "it looks like text"
    return "its first bytes are not those of any format leakscan knows"


def printable(name: str | os.PathLike[str]) -> str:
    """A file name as it may be shown in a terminal: control and bidirectional marks escaped."""
    text = os.fspath(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def is_capsule(path: Path) -> bool:
    """Whether the file begins as a capsule does; False when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.lstrip()[:1] == b"{" and f'"{CAPSULE_FORMAT}"'.encode() in head
