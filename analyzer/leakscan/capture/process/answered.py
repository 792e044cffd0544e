"""What the agent's answers say: figures, or why there is no snapshot. Nothing here touches the process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from leakscan.capture.process.agent import Answer
from leakscan.capture.process.headroom import ROOM_HINT, Room, held_room
from leakscan.errors import (
    AttachError,
    LeakscanError,
    NoRoom,
    RecordError,
    SnapshotError,
    UnsupportedInterpreter,
)
from leakscan.wording import size_text

UNGUARDED: Final = {
    "running": "a guard runs there already",
    "not-writable": "it may not write that folder",
    "name-too-long": "the folder's name is too long",
    "no-thread": "its thread could not be started",
}


def no_room(pid: int, forked: Answer, room: Room | None, rss_bytes: int) -> NoRoom:
    return NoRoom(
        f"too little memory is left for a snapshot of process {pid}: {room.text if room else 'unknown'}; its"
        f" {forked.number('objects')} blocks need about {size_text(held_room(rss_bytes))}",
        hint=ROOM_HINT,
    )


def refusal(pid: int, reason: str) -> LeakscanError:
    if reason == "free-threaded":
        return UnsupportedInterpreter(
            f"process {pid} runs a free-threaded build of CPython",
            hint="leakscan records builds with the interpreter's lock",
        )
    if reason == "not-initialized":
        return AttachError(
            f"Python is not running yet, or no longer, in process {pid}", hint="try again in a moment"
        )
    if reason == "busy":
        return AttachError(
            f"another leakscan is attached to process {pid}", hint="wait until its series or snapshot is done"
        )
    if reason == "finalizing":
        return AttachError(f"process {pid} is ending: its Python is being taken down")
    return AttachError(f"the agent in process {pid} refused: {reason[:200]}")


def allocator_figures(ended: Answer) -> dict[str, int]:
    names = ("malloc_used", "malloc_free", "malloc_mapped", "malloc_main_used")
    figures = {f"{name}_bytes": ended.number(name) for name in names if name in ended.fields}
    return {"allocated_blocks": ended.number("blocks"), **figures}


def check_forked(pid: int, forked: Answer) -> None:
    if reason := forked.text("reason"):
        raise UnsupportedInterpreter(f"process {pid} cannot be recorded: {reason[:200]}")
    if forked.number("pid") <= 0:
        raise RecordError(
            f"process {pid} could not fork: {os.strerror(forked.number('errno') & 0xFFF)}",
            hint="free memory, or raise its limit on processes",
        )


def check_ended(pid: int, ended: Answer, *, hold_seconds: float = 0) -> None:
    status, code = ended.text("status"), ended.number("code")
    if status == "ok":
        return
    if status == "broken-off":
        raise NoRoom(
            f"the snapshot of process {pid} was broken off: memory is short, so that the process stood still,"
            f" and {hold_seconds:g} s were not enough",
            hint=f"--hold {max(5, 5 * hold_seconds):g} lets it stand still for longer; {ROOM_HINT}",
        )
    if status == "no-memory" or (status == "crashed" and code == signal.SIGKILL):
        raise NoRoom(
            f"the recording child of process {pid} got no memory, or the kernel took it to free some",
            hint=f"the process itself is unharmed; {ROOM_HINT}",
        )
    if status == "crashed":
        raise RecordError(
            f"the recording child of process {pid} ended early (signal {code})",
            hint="the process itself is unharmed; please report this with its Python version",
        )
    raise RecordError(
        f"the recording child of process {pid} could not finish ({status[:40]} {code})",
        hint="it needs about 16 bytes of memory per object",
    )


def check_whole(pid: int, path: Path) -> tuple[str, ...]:
    """The warnings in it."""
    from leakscan.heap.reader import load

    try:
        return load(path, columns=()).warnings
    except SnapshotError as error:
        raise AttachError(
            f"what process {pid} sent is not a snapshot: {error.message}", hint="nothing was kept"
        ) from error
