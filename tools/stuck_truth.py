"""Whether `leakscan stuck` is right about programs of a known truth, in every Python at hand.

Usage: stuck_truth.py [--versions 3.11,3.12] [--nestings 300] [--first 1] [--loops asyncio,uvloop,trio]

Runs the grid of tests/stuck_programs.py (primitive x place x way to wait) and random nestings of waits,
hundreds in one process, and compares every answer. anyio, trio and uvloop are used where
.interpreters/site-VERSION has them. Exit code 1 for a wrong answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from test_all import ROOT, find_interpreters

sys.path.insert(0, str(ROOT / "tests"))

from leakscan import load
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.waits import Stuck
from leakscan.analysis.stuck.find import find_stuck
from stuck_nestings import nesting, wrong_tasks
from stuck_programs import Program, programs, programs_of_trio, wrong_answers

BATCH = 500


def main() -> int:
    options = _options()
    pythons = find_interpreters(options.folder)
    is_good = True
    for version in options.versions.split(","):
        wrong, asked, accused = [], 0, 0
        for count, found in _answers(options, version, pythons[version]):
            asked += count
            wrong += found
        accused = sum("never" in said for _, _, said in wrong)
        for name, true, said in wrong:
            print(f"{version} {name}: {true}, said {', '.join(said) or 'nothing'}", flush=True)
        print(f"{version}: {asked - len(wrong)} of {asked} right, {accused} false accusations", flush=True)
        is_good &= not wrong
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--versions", default="3.11,3.12,3.13,3.14")
    parser.add_argument("--nestings", type=int, default=300)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--loops", default="asyncio,uvloop,trio")
    parser.add_argument("--grid", default="all", help="all or none")
    parser.add_argument("--folder", type=Path, default=ROOT / ".interpreters")
    return parser.parse_args()


Wrong = list[tuple[str, str, list[str]]]


def _answers(options: argparse.Namespace, version: str, python: Path) -> Iterator[tuple[int, Wrong]]:
    packages = _packages(options.folder, version)
    nestings = [nesting(seed) for seed in range(options.first, options.first + options.nestings)]
    for loop in options.loops.split(","):
        if loop != "asyncio" and not (packages / loop).exists():
            print(f"{version}: {loop} is not there, left out")
            continue
        with_anyio = (packages / "anyio").exists()
        every = programs_of_trio if loop == "trio" else programs
        grid = every(with_anyio=with_anyio) if options.grid == "all" else []
        for start in range(0, len(grid), BATCH):
            chosen = grid[start : start + BATCH]
            yield len(chosen), wrong_answers(chosen, _found(python, packages, loop, chosen))
        for start in range(0, len(nestings) if loop != "trio" else 0, BATCH):
            some = nestings[start : start + BATCH]
            found = _found(python, packages, loop, [each.program for each in some])
            wrong = [wrong for each in some for wrong in wrong_tasks(each, found)]
            yield sum(len(each.tasks) for each in some), wrong


def _packages(folder: Path, version: str) -> Path:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(next(path for path in sys.path if path.endswith("site-packages")))
    return Path(folder / f"site-{version}" / "site-packages")


def _found(python: Path, packages: Path, loop: str, chosen: list[Program]) -> Stuck:
    with tempfile.TemporaryDirectory() as temporary:
        listed, heap = Path(temporary, "programs.json"), Path(temporary, "stuck.heap")
        listed.write_text(json.dumps([{"name": one.name, "source": one.source} for one in chosen]))
        runs = [str(python), str(ROOT / "tests" / "stuck_runs.py"), str(listed), str(heap)]
        paths = os.pathsep.join([str(ROOT / "analyzer"), str(packages)])
        done = subprocess.run(
            [*runs, *([] if loop == "asyncio" else [loop])],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode:
            sys.exit(f"{python} cannot run the programs:\n{done.stderr[-3000:]}")
        graph = load(heap)
        return find_stuck(graph, liveness(graph))


if __name__ == "__main__":
    sys.exit(main())
