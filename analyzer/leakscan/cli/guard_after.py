"""What `leakscan guard --capsule` runs once a process is dead.

python -m leakscan.cli.guard_after DIR COMMAND [alone]; `alone`: nothing runs here that needs the memory.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leakscan.capture.process.headroom import Room

_COMMAND_SECONDS: Final = 60.0
_BYTES_BESIDE: Final = 100_000_000
_BYTES_A_BYTE: Final = 4
"""Of memory for each byte of both snapshots as the guard writes them; a shallow look takes half."""
LEFT_FOR_LATER: Final = 3


class Look(Enum):
    """How much of a box the memory that is left here allows to look at."""

    WHOLE = "whole"
    SHALLOW = "shallow"
    LATER = "later"


def main(folder: Path, command: str, room: Room | None, *, is_alone: bool) -> int:
    """A capsule of every box that waits for one, handed to `command`; LEFT_FOR_LATER: memory is too short."""
    from leakscan.capture.directory.finished import waiting_boxes
    from leakscan.capture.directory.guarded import SNAPSHOTS

    for box in waiting_boxes(folder):
        size = sum((box / name).stat().st_size for name in SNAPSHOTS)
        look = look_for(size, room, is_alone=is_alone)
        if look is Look.LATER:
            print(f"{box}: too little memory is left for its capsule now", file=sys.stderr)
            return LEFT_FOR_LATER
        finish(box, command, look)
    return 0


def look_for(snapshot_bytes: int, room: Room | None, *, is_alone: bool) -> Look:
    """What else runs here must not be pushed to its limit.

    Alone, the kernel takes this process when it was too much, unless it takes all of the cgroup with it.
    """
    needed = _BYTES_BESIDE + _BYTES_A_BYTE * snapshot_bytes
    if room is None or room.safe_bytes > needed:
        return Look.WHOLE
    if room.safe_bytes > needed // 2 or (is_alone and not room.kills_group):
        return Look.SHALLOW
    return Look.LATER


def finish(box: Path, command: str, look: Look) -> None:
    """The capsule first, and handed over; then the snapshots are packed. What fails is told in the box."""
    from leakscan.capture.directory.finished import FAILED_FILE, keep_capsule, pack_snapshots, tell
    from leakscan.errors import LeakscanError

    failed = box / FAILED_FILE
    try:
        failed.write_text("it was begun and not finished: was there too little memory? leakscan bundle DIR\n")
        path = keep_capsule(box, _capsule(box, look))
        if command:
            tell(box, event="handed", status=_hand_over(path, command))
        pack_snapshots(box)
    except LeakscanError as error:
        failed.write_text(f"{error.message}\n", errors="backslashreplace")
        print(f"{box}: {error.message}", file=sys.stderr)
    except OSError as error:
        print(f"{box}: {error.strerror}", file=sys.stderr)


def _capsule(box: Path, look: Look) -> str:
    from leakscan.answers.bundle import capsule_of
    from leakscan.report.share.capsule import capsule_text

    if look is Look.WHOLE:
        return capsule_text(capsule_of([box]))
    with tempfile.TemporaryDirectory(prefix="shallow-", dir=box) as folder:
        _write_shallow(box, Path(folder))
        return capsule_text(capsule_of([Path(folder)]))


def _write_shallow(box: Path, into: Path) -> None:
    """The box again, its last snapshot without what lies deep."""
    from leakscan.capture.directory.guarded import GUARD_FILE
    from leakscan.heap.reader import load
    from leakscan.heap.shallow import shallow
    from leakscan.heap.writer import write

    for name in (GUARD_FILE, "before.heap"):
        os.link(box / name, into / name)
    write(shallow(load(box / "after.heap")), into / "after.heap", compress=True)


def _be_the_first_to_go() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _hand_over(capsule: Path, command: str) -> int:
    """The exit status of the command, 124 as `timeout` has it when it took too long."""
    environment = {**os.environ, "LEAKSCAN_CAPSULE": str(capsule), "LEAKSCAN_BOX": str(capsule.parent)}
    try:
        result = subprocess.run(
            ["sh", "-c", command],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            timeout=_COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return 124
    return result.returncode


if __name__ == "__main__":
    from leakscan.capture.process.headroom import room_of

    _be_the_first_to_go()
    left = room_of(os.getpid())
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2], left, is_alone="alone" in sys.argv[3:]))
