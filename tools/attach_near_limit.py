"""Attach to programs that stand near the limit of a memory cgroup and write all of their memory meanwhile.

Usage, as root: attach_near_limit.py [--attaches 200] [--most-room 1.2] [--python PATH]

Prints one JSON object. Exit code 1: a program was killed, or an attach ended in anything but a snapshot or a
refusal with figures. How much room a program has is drawn anew for each attach: 1 % of what it uses and more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "analyzer")]

from leakscan.capture.process.attach import Attachment  # noqa: E402
from leakscan.errors import LeakscanError, NoRoom  # noqa: E402

ATTACHES_EACH = 10
PROGRAM = """
    import os, sys, threading
    open(sys.argv[1], "w").write(str(os.getpid()))
    class Record:
        __slots__ = ("a", "b")
        def __init__(self, i): self.a = "r%d" % i; self.b = (i,)
    kept = [Record(i) for i in range(int(sys.argv[2]))]
    def touch():
        while True:
            for record in kept: a, b = record.a, record.b
    for _ in range(2): threading.Thread(target=touch, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin: print("on", flush=True)
"""
FIRST = Path("/sys/fs/cgroup/memory")
IS_FIRST = FIRST.is_dir()


class Group:
    """A memory cgroup with one program in it."""

    def __init__(self, python: str, number: int, records: int = 300_000) -> None:
        self.folder = (
            FIRST if IS_FIRST else Path("/sys/fs/cgroup")
        ) / f"leakscan-limit-{os.getpid()}-{number}"
        self.folder.mkdir()
        self.process = subprocess.Popen(
            [python, "-c", textwrap.dedent(PROGRAM), str(self.folder / "cgroup.procs"), str(records)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self._out, self._into = self.process.stdout, self.process.stdin
        assert self._out.readline() == "ready\n"

    def leave(self, room_bytes: int) -> None:
        limit, usage = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if IS_FIRST
            else ("memory.max", "memory.current")
        )
        used = int((self.folder / usage).read_text())
        (self.folder / limit).write_text(str(used + room_bytes))

    def used_bytes(self) -> int:
        return int((self.folder / ("memory.usage_in_bytes" if IS_FIRST else "memory.current")).read_text())

    def lives(self) -> bool:
        try:
            self._into.write("go\n")
            self._into.flush()
            return self._out.readline() == "on\n"
        except BrokenPipeError:
            return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for _ in range(100):
            try:
                return self.folder.rmdir()
            except OSError:
                time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--attaches", type=int, default=200)
    parser.add_argument("--records", type=int, default=300_000, help="that the program keeps, 200 B each")
    parser.add_argument("--most-room", type=float, default=1.2, help="of what the program uses")
    parser.add_argument("--hold", type=float, default=1.0, help="seconds that a program may stand still")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    outcomes: Counter[str] = Counter()
    near: Counter[str] = Counter()
    held: list[float] = []
    others: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-(-options.attaches // ATTACHES_EACH)):
            group = Group(options.python, number, options.records)
            for _ in range(ATTACHES_EACH):
                share = 0.01 * (options.most_room / 0.01) ** dice.random()
                group.leave(int(group.used_bytes() * share))
                outcome = "snapshots"
                try:
                    with Attachment(group.process.pid, hold_seconds=options.hold) as target:
                        taken = target.snapshot(Path(folder) / "x.heap")
                    held.append(taken.pause_seconds)
                except NoRoom as error:
                    outcome = (
                        "broken off"
                        if "broken off" in error.message
                        else "child taken by the kernel"
                        if "took it" in error.message
                        else "refused"
                    )
                except LeakscanError as error:
                    others.append(error.message)
                    outcome = "others"
                outcomes[outcome] += 1
                # Of the limit, a tenth at most was left.
                if share / (1 + share) <= 0.1:
                    near[outcome] += 1
                if not group.lives():
                    outcomes["programs killed"] += 1
                    break
            group.close()
    result = {
        "outcomes": dict(sorted(outcomes.items())),
        "within_a_tenth_of_the_limit": dict(sorted(near.items())),
        "longest_pause_seconds": max(held, default=0),
        "others": others[:5],
    }
    print(json.dumps(result, indent=1))
    return 1 if outcomes["programs killed"] or others else 0


if __name__ == "__main__":
    raise SystemExit(main())
