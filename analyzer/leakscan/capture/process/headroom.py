"""How much memory a process and a child of it may still take before the kernel kills or slows something.

Everything comes from /proc and from the memory cgroups above the process, version 1 or 2, as far as they
can be seen from here. Swap is not counted: a snapshot must not push the program into it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leakscan.wording import size_text

_NO_LIMIT: Final = 1 << 60
"""Version 1 writes "none" as the largest number of pages."""
_PROC: Final = Path("/proc")
ROOM_TO_ENTER: Final = 6 << 20
"""The library, its thread's stack, and what opening it touches: 2 MB measured."""
ROOM_KEPT: Final = 3 << 20
ROOM_KEPT_HELD: Final = 3 << 19
"""While the program stands still it takes nothing between two looks."""
_CHILD_BYTES: Final = 8 << 20
"""Of the recording child, beside 16 bytes an object: its columns and tables."""
_TIGHT_BYTES: Final = 6 << 20
"""Of a child that walks twice and keeps bits alone, beside a tenth of what the program uses: half of that
was measured, half is for what is written meanwhile."""
_HELD_BYTES: Final = 7 << 19
ROOM_HINT: Final = "give it more memory, or attach earlier: `leakscan watch PID --rss SIZE --do series=D`"


@dataclass(frozen=True, slots=True)
class Room:
    """`room_bytes` are left below `limit_bytes` of what `limit` names; the narrowest limit of all."""

    room_bytes: int
    limit_bytes: int
    limit: str
    kills_group: bool = False
    """The kernel kills all of that cgroup together (memory.oom.group)."""

    @property
    def safe_bytes(self) -> int:
        """What a child may take: where it is killed alone, all; where the program goes with it, half."""
        return self.room_bytes // 2 if self.kills_group else self.room_bytes

    @property
    def text(self) -> str:
        left = size_text(max(0, self.room_bytes))
        whole = ", which the kernel kills as a whole" if self.kills_group else ""
        return f"{left} of {size_text(self.limit_bytes)} are left in {self.limit}{whole}"


def beside_the_table(rss_bytes: int) -> int:
    """Of the child: columns, page tables, and the pages that a program writes while it is looked at."""
    return _CHILD_BYTES + rss_bytes // 64


def least_room(rss_bytes: int) -> int:
    """With no table: bits for the objects, page tables, and the pages that a program writes meanwhile."""
    return _TIGHT_BYTES + rss_bytes // 10


def held_room(rss_bytes: int) -> int:
    """While the program stands still, so that no page is written: 3.2 % of its heap, and page tables."""
    return ROOM_KEPT_HELD + _HELD_BYTES + rss_bytes // 28


def room_of(pid: int, *, proc: Path = _PROC) -> Room | None:
    """The narrowest; None when nothing could be read."""
    rooms = [*_cgroup_rooms(pid, proc), *_address_rooms(pid, proc), *_machine_room(proc)]
    return min(rooms, key=lambda room: (room.room_bytes, room.limit), default=None)


def rss_of(pid: int, *, proc: Path = _PROC) -> int:
    """Resident bytes; 0 when the process is gone. Looks at no page of it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((proc / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _machine_room(proc: Path) -> Iterator[Room]:
    figures = _figures(proc / "meminfo")
    if "MemAvailable" in figures:
        yield Room(figures["MemAvailable"] * 1024, figures.get("MemTotal", 0) * 1024, "this machine")


def _address_rooms(pid: int, proc: Path) -> Iterator[Room]:
    """Of `ulimit -v` and `-d`, which count what is reserved: twice what a growing table uses."""
    used = _figures(proc / str(pid) / "status")
    with contextlib.suppress(OSError):
        for line in (proc / str(pid) / "limits").read_text().splitlines():
            for name, row, option in (
                ("Max address space", "VmSize", "-v"),
                ("Max data size", "VmData", "-d"),
            ):
                if line.startswith(name) and row in used:
                    # The child lifts its own up to the hard limit.
                    hard = line[len(name) :].split()[1]
                    if hard.isdigit():
                        left = int(hard) - used[row] * 1024
                        yield Room(left // 2, int(hard), f"its hard `ulimit {option}`")


def _cgroup_rooms(pid: int, proc: Path) -> Iterator[Room]:
    for folder, top, is_second in _cgroups(pid, proc):
        while True:
            yield from _second_version(folder) if is_second else _first_version(folder)
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _cgroups(pid: int, proc: Path) -> Iterator[tuple[Path, Path, bool]]:
    """The process's memory cgroups, where each hierarchy begins, and whether it is of version 2."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
        mounts = (proc / "self" / "mountinfo").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_second = not controllers
        if not is_second and "memory" not in controllers.split(","):
            continue
        for mount in mounts:
            words, _, kind = mount.partition(" - ")
            fields, kinds = words.split(), kind.split()
            if len(fields) < 5 or len(kinds) < 3:
                continue
            if kinds[0] != ("cgroup2" if is_second else "cgroup"):
                continue
            if not is_second and "memory" not in kinds[2].split(","):
                continue
            root, top = fields[3].rstrip("/"), Path(fields[4])
            below = path.removeprefix(root) if (path + "/").startswith(root + "/") else path
            folder = top / below.strip("/")
            # A path that leads out of this namespace, or is not mounted here: the part that is seen counts.
            yield (folder if ".." not in below.split("/") and folder.is_dir() else top), top, is_second
            break


def _second_version(folder: Path) -> Iterator[Room]:
    used = _number(folder / "memory.current")
    if used is None:
        return
    free = _reclaimable(
        folder, ("inactive_file", "active_file"), ("file_dirty", "file_writeback", "file_mapped")
    )
    is_killed_whole = _number(folder / "memory.oom.group") == 1
    # Above `high` the program is slowed until it stands still: that is harm, too.
    for name in ("memory.max", "memory.high"):
        limit = _number(folder / name)
        if limit is not None and limit < _NO_LIMIT:
            yield Room(limit - used + free, limit, f"its memory cgroup ({name})", is_killed_whole)


def _first_version(folder: Path) -> Iterator[Room]:
    used, limit = (_number(folder / f"memory.{name}_in_bytes") for name in ("usage", "limit"))
    if used is None or limit is None or limit >= _NO_LIMIT:
        return
    free = _reclaimable(
        folder,
        ("total_inactive_file", "total_active_file"),
        ("total_dirty", "total_writeback", "total_mapped_file"),
    )
    yield Room(limit - used + free, limit, "its memory cgroup (memory.limit_in_bytes)")


def _reclaimable(folder: Path, caches: tuple[str, ...], kept: tuple[str, ...]) -> int:
    """What the kernel gives up before it kills: clean pages of files that nobody has mapped."""
    figures = _figures(folder / "memory.stat")
    return max(0, sum(figures.get(name, 0) for name in caches) - sum(figures.get(name, 0) for name in kept))


def _number(path: Path) -> int | None:
    """None: there is no such file, or `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _figures(path: Path) -> dict[str, int]:
    figures = {}
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            words = line.replace(":", " ").split()
            if len(words) >= 2 and words[1].isdigit():
                figures[words[0]] = int(words[1])
    return figures
