"""Let guarded programs run out of memory in memory cgroups, and their unguarded twins beside them.

Usage, as root: guard_soak.py [--deaths 100] [--seed 14] [--others] [--python PATH] [--keep DIR]

Each program fills one planted holder, at a pace, with objects, in a number of threads and below a limit that
are drawn anew. Prints one JSON object. Exit code 1: fewer than 99 of 100 answers name the holder, or a
guarded program was killed with less than it could hold without a guard, by more than --slack: the guard's
own library takes a megabyte.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "analyzer")]

from leakscan.capture.guard import GuardSettings, guarded_environment  # noqa: E402

FIRST = Path("/sys/fs/cgroup/memory")
IS_FIRST = FIRST.is_dir()
MB = 1_000_000
PROGRAM = """
    import asyncio, gc, json, mmap, os, struct, sys, threading, time
    counter, plan = sys.argv[1], json.loads(sys.argv[2])
    made = mmap.mmap(os.open(counter, os.O_RDWR), 8)

    class Session:
        def __init__(self, number):
            self.number, self.items, self.name = number, [number, number + 1], "session %d" % number

    class Registry:
        held = []

    class Cache:
        def __init__(self): self.entries = {}

    HELD, CACHE = {}, Cache()
    KEPT = [("kept", i, str(i)) for i in range(plan["kept"])]

    def hold(thing, number):
        if plan["holder"] == "__main__.HELD": HELD[number] = thing
        elif plan["holder"] == "Registry.held": Registry.held.append(thing)
        else: CACHE.entries["key %d" % number] = thing

    def thing(number):
        return {"session": lambda: Session(number), "text": lambda: "x" * 20_000 + str(number),
                "dict": lambda: {"number": number, "parts": (number, str(number))},
                "megabyte": lambda: bytearray(b"y" * 1_000_000),
                "number": lambda: number,
                "array": lambda: numpy.ones(12_500)}[plan["object"]]()

    if plan["object"] == "array": import numpy
    SIZES = {"session": 560, "text": 20_060, "dict": 480, "megabyte": 1_000_060,
             "number": 130, "array": 100_200}
    lock, begun = threading.Lock(), time.monotonic()

    # Thirty threads that make a megabyte each in the same moment have no pace of a megabyte a second.
    def work(number=0):
        each = plan["bytes_a_second"] / plan["threads"] / SIZES[plan["object"]]
        late = 0 if plan["way"] == "strokes" else number / plan["threads"]
        done = 0
        while True:
            due = int(elapsed() * each + late)
            if done >= due:
                time.sleep(0.01)
                continue
            for _ in range(min(due - done, 1000)):
                done += 1
                with lock:
                    number = struct.unpack("q", made[:8])[0] + 1
                    hold(thing(number), number)
                    made[:8] = struct.pack("q", number)
                temporary = [str(i) for i in range(5)]

    def elapsed():
        passed = time.monotonic() - begun
        return passed // 3 * 3 if plan["way"] == "bursts" else passed

    async def wait_for(gate, payload):
        await gate.wait()

    async def serve():
        gate, done, each = asyncio.Event(), 0, plan["bytes_a_second"] / 4_000
        while True:
            for _ in range(min(1000, int(elapsed() * each) - done)):
                done += 1
                made[:8] = struct.pack("q", done)
                hold(asyncio.create_task(wait_for(gate, "x" * 2_000 + str(done))), done)
            await asyncio.sleep(0.01)

    if plan["way"] == "asyncio": asyncio.run(serve())
    if plan["way"] == "forks":
        for _ in range(2):
            if os.fork() == 0:
                while True: work()
        os.wait()
        os.kill(os.getpid(), 9)
    for number in range(1, plan["threads"]):
        threading.Thread(target=work, args=(number,), daemon=True).start()
    work()
"""


NAMES = {
    "__main__.HELD": ("__main__.HELD",),
    "Registry.held": ("Registry.held", "__main__.Registry"),
    "Cache.entries": ("Cache.entries", "__main__.CACHE"),
}
"""How an answer may name the holder: below a small limit the baseline is older than the program's own module,
and what holds is the name in it."""


@dataclass(frozen=True)
class Plan:
    """One program. `room_bytes`: of the cgroup, for all of it; `way`: steady, bursts, asyncio, ..."""

    holder: str
    object: str
    bytes_a_second: int
    threads: int
    room_bytes: int
    kept: int
    way: str = "steady"


OTHERS = {
    "a table of numbers that doubles": Plan("__main__.HELD", "number", 8 * MB, 1, 180 * MB, 0),
    "tasks that wait for ever": Plan("Cache.entries", "session", 8 * MB, 1, 150 * MB, 0, "asyncio"),
    "numpy arrays": Plan("Registry.held", "array", 15 * MB, 4, 220 * MB, 0),
    "two forked workers": Plan("__main__.HELD", "dict", 6 * MB, 1, 160 * MB, 50_000, "forks"),
    "bursts of small objects": Plan("Cache.entries", "session", 8 * MB, 1, 170 * MB, 0, "bursts"),
    "bursts of big objects": Plan("Registry.held", "megabyte", 8 * MB, 4, 170 * MB, 0, "bursts"),
    "a stroke of 30 MB": Plan("Cache.entries", "megabyte", 2 * MB, 30, 75 * MB, 0, "strokes"),
    "a stroke of half of it": Plan("Cache.entries", "megabyte", 2 * MB, 30, 59 * MB, 0, "strokes"),
    "a stroke of all that is left": Plan("Registry.held", "megabyte", 2 * MB, 30, 57 * MB, 50_000, "strokes"),
    "half of it loaded at the start": Plan("__main__.HELD", "session", 3 * MB, 1, 230 * MB, 900_000),
    "half of it loaded, then fast": Plan("__main__.HELD", "text", 40 * MB, 4, 300 * MB, 900_000),
}
"""Programs that no draw makes."""


@dataclass(frozen=True)
class Died:
    plan: Plan
    made: int
    seconds: float
    box: Path


def draw(dice: random.Random) -> Plan:
    speed = int(10 ** dice.uniform(6, 8))
    # The slow ones below a small limit, or they take minutes.
    most = min(300 * MB, max(60 * MB, 12 * speed))
    return Plan(
        holder=dice.choice(["__main__.HELD", "Registry.held", "Cache.entries"]),
        object=dice.choice(["session", "dict", "text", "megabyte"]),
        bytes_a_second=speed,
        threads=dice.choice([1, 1, 4, 30]),
        # There must be time for a baseline and a snapshot: about three seconds.
        room_bytes=int(dice.uniform(50 * MB + 3 * speed, most + 3 * speed)),
        kept=dice.choice([0, 0, 50_000]),
    )


@contextlib.contextmanager
def cgroup(limit_bytes: int) -> Iterator[Path]:
    folder = (
        FIRST if IS_FIRST else Path("/sys/fs/cgroup")
    ) / f"leakscan-guard-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        (folder / ("memory.limit_in_bytes" if IS_FIRST else "memory.max")).write_text(str(limit_bytes))
        yield folder
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.05)


def die(plan: Plan, folder: Path, *, python: str, is_guarded: bool) -> Died:
    """Run the program until the kernel ends it."""
    counter = folder / ("guarded" if is_guarded else "twin")
    counter.write_bytes(struct.pack("q", 0))
    environment = dict(os.environ)
    if is_guarded:
        environment = guarded_environment(GuardSettings(folder=folder / "boxes"), environment)
    with cgroup(plan.room_bytes) as group:
        words = [python, "-c", textwrap.dedent(PROGRAM), str(counter), json.dumps(asdict(plan))]
        enter = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
        start = time.monotonic()
        process = subprocess.Popen([*enter, *words], env=environment)
        try:
            status = process.wait(timeout=600)
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - start
    if status != -signal.SIGKILL:
        raise SystemExit(f"the program of {plan} ended with {status}")
    return Died(plan, struct.unpack("q", counter.read_bytes())[0], seconds, folder / "boxes")


def answer(box: Path) -> tuple[str, str]:
    """Verdict and holder of the first leak, as `leakscan diff` prints them; or why there is none."""
    command = [sys.executable, "-m", "leakscan", "diff", "--json", str(box)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        return "no answer", result.stderr.strip()[-300:]
    document = json.loads(result.stdout)
    leaks = document["leaks"]
    holder = leaks[0]["holder"]["label"] if leaks and leaks[0]["holder"] else ""
    return document["verdict"], holder


def journal(box: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in sorted(box.glob("*/guard.jsonl")) for line in file.open()]


def main() -> int:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--first", type=int, default=0, help="begin with this one of the drawn programs")
    parser.add_argument("--others", action="store_true", help="the programs that no draw makes")
    parser.add_argument("--slack", type=float, default=0.03, help="of what the twin held")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--keep", type=Path, help="where the boxes of wrong answers are kept")
    options = parser.parse_args()
    right, early, verdicts, wrong = 0, [], {}, []
    pauses: list[float] = []
    shares: list[float] = []
    plans: dict[int | str, Plan] = dict(OTHERS) if options.others else {
        number: draw(random.Random(options.seed * 1_000_003 + number))
        for number in range(options.first, options.first + options.deaths)
    }  # fmt: skip
    for number, plan in plans.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            twin = die(plan, folder, python=options.python, is_guarded=False)
            guarded = die(plan, folder, python=options.python, is_guarded=True)
            verdict, holder = answer(guarded.box)
            lines = journal(guarded.box)
            is_right = verdict != "no answer" and holder.endswith(NAMES[plan.holder])
            right += is_right
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            share = guarded.made / max(1, twin.made)
            shares.append(share)
            pauses += [float(str(line["pause_seconds"])) for line in lines if line["event"] == "snapshot"]
            row = {
                "number": number,
                **asdict(plan),
                "twin_made": twin.made,
                "guarded_made": guarded.made,
                "twin_seconds": round(twin.seconds, 2),
                "guarded_seconds": round(guarded.seconds, 2),
                "verdict": verdict,
                "told_holder": holder,
                "right": is_right,
                "journal": [
                    {k: line.get(k) for k in ("time_unix", "event", "file", "reason", "status", "interval",
                     "seconds", "waited_seconds", "pause_seconds", "blocks", "needed_bytes", "room_bytes",
                     "tight", "hurried", "held")}
                    for line in lines[1:]
                ],
            }  # fmt: skip
            if share < 1 - options.slack:
                early.append(number)
            if not is_right:
                wrong.append(row)
                if options.keep:
                    shutil.copytree(guarded.box, options.keep / str(number), dirs_exist_ok=True)
            print(json.dumps(row), file=sys.stderr, flush=True)
    result = {
        "deaths": len(plans),
        "right": right,
        "verdicts": verdicts,
        "earlier_than_the_twin": early,
        "made_of_the_twin": [round(each, 3) for each in (min(shares), median(shares))],
        "longest_pause_seconds": max(pauses, default=0),
        "wrong": wrong,
    }
    print(json.dumps(result, indent=1))
    return 1 if right < 0.99 * len(plans) or early else 0


if __name__ == "__main__":
    raise SystemExit(main())
