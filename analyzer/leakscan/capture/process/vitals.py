"""What the kernel knows of a process's memory, read from outside; nothing in the process is touched."""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from leakscan import _native
from leakscan.errors import CaptureError

_REST = 20
"""Part of the time that may be spent on looking at the pools: one in so many."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process. The rows from `python_bytes` to `shared_bytes` add up to RSS and swap.

    `python_bytes` are blocks in use of Python's object allocator (objects up to 512 bytes), `slack_bytes` the
    free memory in its pools; None where no Python is found or its memory may not be read. `malloc_bytes` is
    what malloc's arenas hold, used or free; `mapped_bytes` all other anonymous memory: big blocks of malloc,
    big objects, mappings. `regions` counts the mappings.
    """

    time_unix: float
    rss_bytes: int
    uss_bytes: int
    python_bytes: int | None
    slack_bytes: int | None
    malloc_bytes: int
    mapped_bytes: int
    stack_bytes: int
    file_bytes: int
    shared_bytes: int
    swap_bytes: int
    threads: int
    regions: int
    arena_regions: int
    copy_on_write_bytes: int
    """of anonymous memory, what its parent or another child still has, too: a write copies the page"""


class ProcessGone(Exception):
    """The process ended, or its PID now belongs to another one."""


def _gone(pid: int) -> CaptureError:
    """Why it is none that can be looked at: it ended long ago, only just, or in part."""
    try:
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return CaptureError(
            f"there is no process {pid}", hint="`ps -ef` lists the processes; PIDs change at a restart"
        )
    if threads > 1:
        return CaptureError(
            f"the main thread of process {pid} has ended while others go on",
            hint="the kernel shows its memory no more; one that waits for its threads can be looked at",
        )
    return CaptureError(
        f"process {pid} has already ended", hint="it only waits for its parent to notice (a zombie)"
    )


class Process:
    """A process named by PID *and* start time, so that a reused PID is never mistaken for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._folder = Path("/proc") / str(pid)
        try:
            self.started = self._start_ticks()
            # A handle on the process itself: a signal through it cannot reach anyone else.
            self._handle = os.pidfd_open(pid)
            self.name = self._read("comm").strip()
        except (ProcessGone, ProcessLookupError) as error:
            raise _gone(pid) from error
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            raise CaptureError(
                "this kernel cannot hold on to a process by its number (pidfd_open)",
                hint="attach and watch need Linux 5.3 or newer",
            ) from error
        self._pools_seen: tuple[int, int, int] | None = None
        self._pools_due = 0.0

    def close(self) -> None:
        os.close(self._handle)

    @property
    def handle(self) -> int:
        """A pidfd."""
        return self._handle

    def check(self) -> None:
        """ProcessGone when it has ended, or its number belongs to another one."""
        if self._start_ticks() != self.started:
            raise ProcessGone

    def vitals(self) -> Vitals:
        """What it uses now. ProcessGone when it has ended; CaptureError when it may not be looked at."""
        if self._start_ticks() != self.started:
            raise ProcessGone
        try:
            figures = _native.map_figures(self.pid)
            threads = len(os.listdir(self._folder / "task"))
        except (FileNotFoundError, ProcessLookupError) as error:
            raise ProcessGone from error
        except PermissionError as error:
            raise CaptureError(
                f"process {self.pid} belongs to another user",
                hint="run as that user, or with sudo",
            ) from error
        pools = self._pools()
        self.check()
        return Vitals(
            time_unix=time.time(),
            rss_bytes=figures["rss_bytes"],
            uss_bytes=figures["uss_bytes"],
            python_bytes=pools[1] if pools else None,
            slack_bytes=pools[2] - pools[1] if pools else None,
            malloc_bytes=figures["main_heap_bytes"] + figures["arena_heap_bytes"],
            mapped_bytes=figures["other_anonymous_bytes"] - (pools[2] if pools else 0),
            stack_bytes=figures["stack_bytes"],
            file_bytes=figures["file_bytes"],
            shared_bytes=figures["shared_bytes"],
            swap_bytes=figures["swap_bytes"],
            threads=threads,
            regions=figures["regions"],
            arena_regions=figures["arena_regions"],
            copy_on_write_bytes=figures["copy_on_write_bytes"],
        )

    def _pools(self) -> tuple[int, int, int] | None:
        # Looking through all anonymous memory takes 0.1 s for each GB: rarely enough to stay a bystander.
        now = time.monotonic()
        if now >= self._pools_due:
            try:
                found = _native.pool_figures(self.pid)
            except OSError:
                found = (0, 0, 0)
            self._pools_seen = found if found[0] else None
            self._pools_due = now + _REST * (time.monotonic() - now)
        return self._pools_seen

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process. ProcessGone when it has ended."""
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError as error:
            raise ProcessGone from error

    def _read(self, file: str) -> str:
        try:
            return (self._folder / file).read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError) as error:
            raise ProcessGone from error

    def _start_ticks(self) -> int:
        # The command name may hold spaces and brackets; the fields behind its last bracket do not.
        fields = self._read("stat").rpartition(")")[2].split()
        if fields[0] in ("Z", "X"):
            raise ProcessGone
        return int(fields[19])
