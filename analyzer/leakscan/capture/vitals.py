"""What the kernel knows of a process's memory, read from outside; nothing in the process is touched."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from leakscan.errors import CaptureError

_ROLLUP = {
    "Rss": "rss_bytes",
    "Anonymous": "anonymous_bytes",
    "Pss_File": "file_bytes",
    "Swap": "swap_bytes",
    "Private_Clean": "private_clean",
    "Private_Dirty": "private_dirty",
}


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process. `regions` counts its mappings, `arena_regions` those of glibc's thread arenas.

    `native_bytes` is the anonymous memory outside `[heap]` and `[stack]`: Python's own arenas, thread
    arenas and large blocks; telling these apart takes a snapshot.
    """

    time_unix: float
    rss_bytes: int
    uss_bytes: int
    anonymous_bytes: int
    file_bytes: int
    swap_bytes: int
    heap_bytes: int
    threads: int
    regions: int
    arena_regions: int


class ProcessGone(Exception):
    """The process ended, or its PID now belongs to another one."""


class Process:
    """A process named by PID *and* start time, so that a reused PID is never mistaken for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._folder = Path("/proc") / str(pid)
        try:
            self.started = self._start_ticks()
            # A handle on the process itself: a signal through it cannot reach anyone else.
            self._handle = os.pidfd_open(pid)
        except (ProcessGone, ProcessLookupError) as error:
            raise CaptureError(
                f"there is no process {pid}", hint="`ps -ef` lists the processes; PIDs change at a restart"
            ) from error
        self.name = self._read("comm").strip()

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
        figures = dict.fromkeys(_ROLLUP.values(), 0)
        try:
            rollup, maps = self._read("smaps_rollup"), self._read("smaps")
        except PermissionError as error:
            raise CaptureError(
                f"process {self.pid} belongs to another user",
                hint="run as that user, or with sudo",
            ) from error
        for line in rollup.splitlines()[1:]:
            key, _, rest = line.partition(":")
            if key in _ROLLUP:
                figures[_ROLLUP[key]] = int(rest.split()[0]) * 1024
        heap, regions, arenas = _regions(maps)
        return Vitals(
            time_unix=time.time(),
            uss_bytes=figures.pop("private_clean") + figures.pop("private_dirty"),
            heap_bytes=heap,
            threads=len(os.listdir(self._folder / "task")),
            regions=regions,
            arena_regions=arenas,
            **figures,
        )

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


_ARENA_BYTES = 64 << 20
"""glibc reserves a thread arena's heap in pieces of this size, aligned to it (HEAP_MAX_SIZE, 64-bit)."""


def _regions(smaps: str) -> tuple[int, int, int]:
    """Resident bytes of `[heap]`, number of mappings, number of thread arena heaps."""
    heap = regions = arenas = 0
    in_heap = False
    for line in smaps.splitlines():
        head = line.split(None, 5)
        if head[0].endswith(":"):
            if in_heap and head[0] == "Rss:":
                heap += int(head[1]) * 1024
            continue
        regions += 1
        in_heap = len(head) == 6 and head[5] == "[heap]"
        start = int(head[0].split("-")[0], 16)
        if len(head) < 6 and start % _ARENA_BYTES == 0 and head[1].startswith("rw"):
            arenas += 1
    return heap, regions, arenas
