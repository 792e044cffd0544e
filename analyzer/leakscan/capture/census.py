"""Read a census: a snapshot file that holds only the type table with counts and bytes."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

from leakscan.errors import SnapshotError

_HEADER = struct.Struct("<4s16sBBHIIQQ")
_WANTED = {"str.bytes": "B", "str.ends": "Q", "type.module": "I", "type.name": "I",
           "census.count": "Q", "census.bytes": "Q"}  # fmt: skip


def read_census(path: Path) -> dict[str, tuple[int, int]]:
    """Count and bytes of the objects of each type, by full dotted name (builtins without module)."""
    columns = _columns(path)
    text, ends = columns["str.bytes"].tobytes(), columns["str.ends"]

    def string(index: int) -> str:
        start = ends[index - 1] if index else 0
        return text[start : ends[index]].decode("utf-8", "replace")

    census: dict[str, tuple[int, int]] = {}
    for row, count in enumerate(columns["census.count"]):
        if not count:
            continue
        module, name = string(columns["type.module"][row]), string(columns["type.name"][row])
        full = name if module in ("", "builtins") else f"{module}.{name}"
        # Two types may share a name: a class made anew in each run does.
        known_count, known_bytes = census.get(full, (0, 0))
        census[full] = (known_count + count, known_bytes + columns["census.bytes"][row])
    return census


def _columns(path: Path) -> dict[str, array[int]]:
    content = path.read_bytes()
    columns = {name: array(code) for name, code in _WANTED.items()}
    position, is_complete = 16, False
    while position + _HEADER.size <= len(content):
        magic, name, _, codec, _, _, _, _, size = _HEADER.unpack_from(content, position)
        position += _HEADER.size
        column = name.rstrip(b"\0").decode("ascii", "replace")
        if magic != b"CHNK" or codec != 0 or position + size > len(content):
            break
        if column in columns:
            columns[column].frombytes(content[position : position + size])
        is_complete = column == "end"
        position += size + -size % 8
    if content[:8] != b"LEAKSCAN" or not is_complete:
        raise SnapshotError(f"{path}: the census is incomplete", hint="is the disk full?")
    return columns
