"""A box: what `leakscan guard` leaves, read as a capture of intervals.

The guard writes one line of JSON for each thing that happened (guard.jsonl) and snapshots beside it; it may
be killed at any moment, so nothing is written that would have to be brought up to date. Without a run.json
beside it the lines are the capture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leakscan.errors import CaptureError
from leakscan.wording import size_text

GUARD_FILE: Final = "guard.jsonl"
_MOST_BYTES: Final = 1_000_000
BEFORE_HEAP: Final = "before.heap"
AFTER_HEAP: Final = "after.heap"
SNAPSHOTS: Final = (BEFORE_HEAP, AFTER_HEAP)

Line = Mapping[str, Any]  # Any: JSON values, of a process that may be anybody's


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that the guard took; `resident_bytes` at the start and after each interval up to it."""

    file: str
    interval: int
    time_unix: float
    pause_seconds: float
    bytes: int
    reason: str
    room_bytes: int
    limit_bytes: int
    limit: str
    resident_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """What the lines say. `refusals`: why a snapshot that was due is not there, in words."""

    directory: Path
    pid: int
    process_started: int
    started_unix: float
    python: str
    version: str
    command: str
    executable: str
    started_in: str
    before: Taken | None
    after: Taken | None
    has_births: bool
    without_births: str
    refusals: tuple[str, ...]
    ended_at_limit: bool
    """the last snapshot, or one that did not become whole, was taken because memory ran out"""


def is_box(directory: Path) -> bool:
    return (directory / GUARD_FILE).is_file()


def boxes_in(directory: Path) -> list[Path]:
    """The boxes in a folder that `leakscan guard` was given, in the order in which they were begun."""
    found = [path.parent for path in directory.glob(f"box-*/{GUARD_FILE}")]
    return sorted(found, key=lambda box: (_begun_unix(box), box.name))


def box_to_tell(boxes: list[Path]) -> Path | None:
    """The last one with both snapshots, or the last one; None without any."""
    whole = [box for box in boxes if (box / BEFORE_HEAP).exists() and (box / AFTER_HEAP).exists()]
    told = whole or boxes
    return told[-1] if told else None


def read_box(directory: Path) -> Box:
    """CaptureError: there is none, or its lines are damaged."""
    lines = list(_lines(directory / GUARD_FILE))
    started = next((line for line in lines if line.get("event") == "started"), None)
    if started is None:
        raise CaptureError(f"{directory / GUARD_FILE} is damaged: it says nothing of a start")
    taken = [line for line in lines if line.get("event") == "snapshot"]
    packed = [line for line in lines if line.get("event") == "packed"]
    before = _last(directory, taken, packed, BEFORE_HEAP)
    after = _last(directory, taken, packed, AFTER_HEAP)
    baseline = next((line for line in taken if line.get("file") == BEFORE_HEAP), {})
    return Box(
        directory=directory,
        pid=_whole(started, "pid"),
        process_started=_whole(started, "process_started"),
        started_unix=_number(started, "time_unix"),
        python=_text(started, "python"),
        version=_text(started, "leakscan"),
        command=" ".join(_text(started, "command").split())[:120],
        executable=_text(started, "executable"),
        started_in=_text(started, "started_in"),
        before=before,
        after=after,
        has_births=bool(_whole(baseline, "births")),
        without_births=_text(baseline, "without_births"),
        refusals=(*_refusals(lines), *_missed(after, lines)),
        ended_at_limit=any(_is_of_the_limit(line) for line in lines),
    )


def _last(directory: Path, taken: list[Line], packed: list[Line], file: str) -> Taken | None:
    """What is told of the snapshot that is there: of one that takes its place it is told before it does."""
    path = directory / file
    told = [line for line in taken if line.get("file") == file]
    if not told or not path.is_file():
        return None
    size = path.stat().st_size
    for row in packed:
        if row.get("file") == file and row.get("packed_bytes") == size:
            size = _whole(row, "bytes")
    line = next((line for line in reversed(told) if line.get("bytes") == size), told[-1])
    resident = line.get("resident_bytes")
    return Taken(
        file=file,
        interval=max(0, min(_whole(line, "interval"), 252)),
        time_unix=_number(line, "time_unix"),
        pause_seconds=_number(line, "pause_seconds"),
        bytes=_whole(line, "bytes"),
        reason=_text(line, "reason"),
        room_bytes=_whole(line, "room_bytes"),
        limit_bytes=_whole(line, "limit_bytes"),
        limit=_text(line, "limit"),
        resident_bytes=tuple(each for each in resident if isinstance(each, int))
        if isinstance(resident, list)
        else (),
    )


def _refusals(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        file = _text(line, "file")
        if line.get("event") == "refused":
            figures = ""
            if line.get("needed_bytes"):
                needed, room = size_text(_whole(line, "needed_bytes")), size_text(_whole(line, "room_bytes"))
                limit = size_text(_whole(line, "limit_bytes"))
                figures = f": it needs about {needed}, {room} of {limit} were left"
            yield f"{file}: {_text(line, 'reason')}{figures}"
        elif line.get("event") == "failed":
            yield f"{file}: {_ENDS.get(_text(line, 'status'), _text(line, 'reason'))}"


def _missed(after: Taken | None, lines: list[Line]) -> Iterator[str]:
    """Where much was left at the last snapshot that became whole, what filled it came later."""
    if after is None or after.room_bytes * _MUCH < after.limit_bytes:
        return
    if any(_is_of_the_limit(line) and line.get("event") != "snapshot" for line in lines):
        left, limit = size_text(after.room_bytes), size_text(after.limit_bytes)
        yield f"what came after the last snapshot, when {left} of {limit} were left"


def _is_of_the_limit(line: Line) -> bool:
    if line.get("file") != AFTER_HEAP:
        return False
    return line.get("event") == "refused" or _text(line, "reason") in _AT_THE_LIMIT


_MUCH: Final = 4
_AT_THE_LIMIT: Final = ("near the limit", "an allocation failed")
_ENDS: Final = {
    "broken-off": "broken off before memory ran out",
    "crashed": "the recording child was ended: the kernel took it, or it failed",
    "no-memory": "the recording child got no memory",
    "timeout": "the recording child took too long",
    "write-error": "it could not be written",
    "no-fork": "the process could not fork",
}


def _begun_unix(box: Path) -> float:
    first = next(_lines(box / GUARD_FILE), {})
    return _number(first, "time_unix")


def _lines(path: Path) -> Iterator[Line]:
    """Whole lines that are JSON objects; one that was cut by a kill is no line."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
    for row in text.split(b"\n")[:-1]:
        try:
            line = json.loads(row.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise CaptureError(
                f"{path} is damaged: {error}", hint="the snapshots beside it can be read alone"
            ) from error
        if not isinstance(line, dict):
            raise CaptureError(f"{path} is damaged: a line is no object")
        yield line


def _text(line: Line, name: str) -> str:
    value = line.get(name, "")
    return value if isinstance(value, str) else ""


def _whole(line: Line, name: str) -> int:
    value = line.get(name, 0)
    return value if isinstance(value, int) else 0


def _number(line: Line, name: str) -> float:
    value = line.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
