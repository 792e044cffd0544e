"""What becomes of a guard's box once its process is dead: a capsule first, then the snapshots packed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from leakscan.capture.directory.guarded import GUARD_FILE, SNAPSHOTS, boxes_in, read_box
from leakscan.capture.proc_stat import stat_fields
from leakscan.errors import CaptureError
from leakscan.heap.packing import Packing

CAPSULE_FILE: Final = "leak.capsule"
FAILED_FILE: Final = "leak.capsule.failed"
"""Says why there is none; there while one is made, so that what was killed over it is not tried again."""
_BLOCK: Final = 1 << 20
_PROC: Final = Path("/proc")


def waiting_boxes(folder: Path, *, proc: Path = _PROC) -> list[Path]:
    """Boxes of dead processes with both snapshots and no capsule yet, the last death first."""
    return [box for box in reversed(boxes_in(folder)) if _is_waiting(box, proc)]


def _is_waiting(box: Path, proc: Path) -> bool:
    if not all((box / name).is_file() for name in SNAPSHOTS):
        return False
    if any((box / name).exists() for name in (CAPSULE_FILE, FAILED_FILE)):
        return False
    try:
        told = read_box(box)
    except CaptureError:
        return False
    return not _is_alive(told.pid, told.process_started, proc)


def _is_alive(pid: int, started: int, proc: Path) -> bool:
    """Whether that very process still runs: its number may be another's by now."""
    try:
        fields = stat_fields(proc / str(pid))
    except OSError:
        return False
    return fields[0] not in ("Z", "X") and (not started or int(fields[19]) == started)


def keep_capsule(box: Path, text: str) -> Path:
    """Put it into the box, whole or not at all; where it is. OSError."""
    partial, path = box / f"{CAPSULE_FILE}.partial", box / CAPSULE_FILE
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)
    (box / FAILED_FILE).unlink(missing_ok=True)
    tell(box, event="capsule", bytes=len(text.encode()))
    return path


def pack_snapshots(box: Path) -> int:
    """Compress both snapshots where they lie; bytes that became free. OSError."""
    return sum(_pack(box, name) for name in SNAPSHOTS)


def _pack(box: Path, name: str) -> int:
    path, packed = box / name, box / f"{name}.packing"
    raw = path.stat().st_size
    try:
        with path.open("rb") as source, packed.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            packing = Packing(target)
            for block in _blocks(source.fileno()):
                packing.write(block)
            packing.close()
        smaller = packed.stat().st_size
        if smaller >= raw:
            return 0
        # Before it takes its place: the lines tell which snapshot it is by its size.
        tell(box, event="packed", file=name, bytes=raw, packed_bytes=smaller)
        os.replace(packed, path)
    finally:
        packed.unlink(missing_ok=True)
    return raw - smaller


def _blocks(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, _BLOCK):
        yield block


def tell(box: Path, **line: object) -> None:
    """One more line of what happened."""
    with (box / GUARD_FILE).open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(json.dumps({"time_unix": round(time.time(), 3), **line}) + "\n")
