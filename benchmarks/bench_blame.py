"""What it costs the program while `--blame` watches what holds its leaks, in every CPython at hand.

Usage: bench_blame.py [ROUNDS]. Each figure is the median of pairs, a run without and one while a dict or a
list that the run adds to is watched, in CPU time. The run in which functions are searched for is not in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_births import PROGRAMS

HERE = Path(__file__).resolve().parent
_RUNS = 3
"""Of one watch: the first two may search."""


def ratios(program: Callable[[], None], holder: list[object] | dict[int, object], rounds: int) -> list[float]:
    from leakscan.record.writers import blame

    seconds: list[float] = []

    def run() -> None:
        start = time.process_time()
        program()
        seconds.append(time.process_time() - start)
        if isinstance(holder, dict):
            holder[len(holder)] = object()
        else:
            holder.append(object())

    found = []
    run()
    for _ in range(rounds):
        run()
        alone = seconds[-1]
        seen = blame([(0, id(holder), None)], run, runs=_RUNS)
        assert [row[4] for row in seen["written"]] == [_RUNS], seen
        found.append(seconds[-1] / alone)
    return found


def figures(rounds: int) -> dict[str, list[float]]:
    """By program, the ratio with a dict and with a list."""
    return {
        program.__name__: [statistics.median(ratios(program, made(), rounds)) for made in (dict, list)]
        for program in PROGRAMS
    }


def main(rounds: int) -> None:
    sys.path.insert(0, str(HERE.parent / "tools"))
    from test_all import find_interpreters

    print(f"\nCPU time of allocating programs while what holds their leaks is watched ({rounds} pairs)")
    for version, python in find_interpreters(HERE.parent / ".interpreters").items():
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "analyzer")}
        command = [str(python), __file__, "--one", str(rounds)]
        done = subprocess.run(
            command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{python} failed")
        rows = json.loads(done.stdout)
        cells = "".join(f"{name} x{row[0]:.2f} x{row[1]:.2f}  " for name, row in rows.items())
        means = [statistics.geometric_mean(row[at] for row in rows.values()) for at in (0, 1)]
        print(f"  {version}  {cells} mean x{means[0]:.2f} x{means[1]:.2f}   (a dict, a list)", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(figures(int(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
