"""What looking into a running program costs it: leakscan attach beside memray attach, py-spy and pystack.

One program with 1,000,000 objects and a thread that beats each millisecond, begun anew for each tool and
each try. `stood still`: the longest time of two beats, the best of some tries: machines pause, too.
Tools are looked for in PATH, and in --tools DIR; memray must be there for the program, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import HERE

TRIES = 3
LEFT_SECONDS = 1.0
PROGRAM = """
import mmap, os, struct, sys, threading, time
class Row:
    def __init__(self, i): self.number, self.text = i, "row %d" % i
rows = [Row(i) for i in range(250_000)]
shared = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 16)
def beat():
    last = time.perf_counter()
    while True:
        time.sleep(0.001)
        now = time.perf_counter()
        longest = struct.unpack("d", shared[8:16])[0]
        if now - last > longest: shared[8:16] = struct.pack("d", now - last)
        last = now
threading.Thread(target=beat, daemon=True).start()
print("ready", flush=True)
while True: time.sleep(0.05)
"""


@dataclass(frozen=True, slots=True)
class Looked:
    """`left`: what the program has more than before, once the tool is gone."""

    stood_still_seconds: float
    tool_cpu_seconds: float
    wall_seconds: float
    left: str


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    command: tuple[str, ...]
    answers: str


def tools_in(folder: Path | None) -> list[Tool]:
    """Those that are here, leakscan first."""
    path = os.pathsep.join([*([str(folder)] if folder else []), os.environ.get("PATH", "")])
    leakscan = (sys.executable, "-m", "leakscan", "attach", "PID")
    found = [
        Tool("leakscan attach", (*leakscan, "-o", "OUT.heap"), "every object and reference, named"),
        Tool("leakscan attach --arm", (*leakscan, "--arm", "-o", "OUT"), "the same, and births from now on"),
    ]
    for program, words, answers in (
        (
            "memray",
            ("attach", "-o", "OUT.bin", "--force", "--duration", "2", "PID"),
            "allocations from now on",
        ),
        ("py-spy", ("dump", "--pid", "PID"), "stacks"),
        ("py-spy", ("record", "--pid", "PID", "--duration", "2", "-o", "OUT.svg"), "samples of stacks, 2 s"),
        ("pystack", ("remote", "PID"), "stacks"),
    ):
        if where := shutil.which(program, path=path):
            found.append(Tool(f"{program} {words[0]}", (where, *words), answers))
    return found


@contextlib.contextmanager
def target(python: str, beats: Path, said: Path) -> Iterator[subprocess.Popen[str]]:
    beats.write_bytes(bytes(16))
    words = [python, "-c", PROGRAM, str(beats)]
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def look(tool: Tool, python: str, folder: Path) -> Looked | str:
    """One look at a new program; or why there is none."""
    beats = folder / "beats"
    with target(python, beats, folder / "said") as process:
        time.sleep(0.5)
        before = what_it_has(process.pid)
        with beats.open("r+b") as file:  # in place: the program has it mapped
            file.write(bytes(16))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        words = [
            word.replace("PID", str(process.pid)).replace("OUT", str(folder / "out")) for word in tool.command
        ]
        result = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        time.sleep(LEFT_SECONDS)
        longest = float(memoryview(beats.read_bytes()).cast("d")[1])
        if process.poll() is not None:
            last = (folder / "said").read_text().strip().splitlines()[-1:] or ["no word"]
            return f"the program died of it, with status {process.returncode}: {last[0]}"
        if result.returncode:
            return (result.stderr.strip() or result.stdout.strip()).splitlines()[-1][:90]
        left = difference(before, what_it_has(process.pid))
    cpu = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return Looked(longest, cpu, wall, left)


def what_it_has(pid: int) -> dict[str, float]:
    maps = Path(f"/proc/{pid}/maps").read_text()
    status = Path(f"/proc/{pid}/statm").read_text().split()
    return {
        "MB": int(status[1]) * 4096 / 1e6,
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "libraries": len({line.split()[-1] for line in maps.splitlines() if ".so" in line}),
    }


def difference(before: dict[str, float], after: dict[str, float]) -> str:
    more = {name: after[name] - before[name] for name in before}
    said = [f"{more['MB']:.1f} MB"] if more["MB"] >= 0.5 else []
    said += [f"{more[name]:.0f} {name}" for name in ("threads", "libraries") if more[name] > 0]
    return ", ".join(said) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, help="a folder with memray, py-spy and pystack")
    parser.add_argument("--python", default=sys.executable, help="what the program runs on")
    options = parser.parse_args()
    print("Looking into a running program of 1,000,000 objects that beats each millisecond")
    print(f"  {'':24}{'stood still':>12}{'tool CPU':>10}{'wall':>8}   left in the program; tells")
    for tool in tools_in(options.tools):
        rows: list[Looked] = []
        why = ""
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory() as folder:
                looked = look(tool, options.python, Path(folder))
            if isinstance(looked, str):
                why = looked
                break
            rows.append(looked)
        if why:
            print(f"  {tool.name:24}  {why}")
            continue
        best = min(rows, key=lambda row: row.stood_still_seconds)
        cpu, wall = (min(getattr(row, name) for row in rows) for name in ("tool_cpu_seconds", "wall_seconds"))
        still = f"{best.stood_still_seconds * 1000:.1f} ms"
        print(f"  {tool.name:24}{still:>12}{cpu:>9.2f}s{wall:>7.2f}s   {best.left}; {tool.answers}")
    print()


if __name__ == "__main__":
    assert HERE.is_dir()
    main()
