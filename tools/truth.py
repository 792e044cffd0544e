"""Judges random programs with a known truth, in three forms and on several versions of Python.

Usage: truth.py [--seeds 300] [--first N] [--forms capture,assert,pytest] [--versions 3.11,3.13] [--jobs 2]

The seeds follow each other from a random one, which is printed: `--first` asks the same again. What failed is
written to build/truth/, with its programs; exit code 1 below the limits.
"""

from __future__ import annotations

import argparse
import os
import random
import stat
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from leakgen.judge import CHECKS, INNOCENT, Score, row, scored
from leakgen.program import FORMS, build
from test_all import ROOT, find_interpreters, install_dependencies

LIMITS = {"verdict": 98, "named": 95, "accused": 98, "cut": 95, "rate": 95, "line": 100, "whole": 95}
"""Per cent of the programs to which the check applies."""
FOLDER = ROOT / "build" / "truth"


@dataclass(frozen=True, slots=True)
class Result:
    """What was right of one form on one version."""

    form: str
    version: str
    scores: tuple[Score, ...]

    def share(self, check: str) -> tuple[int, int]:
        """(right, asked)."""
        values = [s.checks.get(check) for s in self.scores if s.checks.get(check) is not None]
        return sum(map(bool, values)), len(values)

    @property
    def acquitted(self) -> list[int]:
        """Seeds of leaks that are said to be none."""
        return [s.seed for s in self.scores if s.truth["verdict"] == "leak" and s.said in INNOCENT]

    @property
    def convicted(self) -> list[int]:
        """Seeds of innocents that are said to leak."""
        return [s.seed for s in self.scores if s.truth["verdict"] != "leak" and s.said == "leak"]

    @property
    def is_good(self) -> bool:
        shares = {check: self.share(check) for check in CHECKS}
        return not (self.acquitted or self.convicted) and all(
            100 * right >= LIMITS[check] * asked for check, (right, asked) in shares.items()
        )


def main() -> int:
    options = _options()
    first = options.first or random.SystemRandom().randrange(10_000, 10_000_000)
    seeds = range(first, first + options.seeds)
    print(f"seeds {seeds[0]}-{seeds[-1]}", flush=True)
    pythons = find_interpreters(options.folder)
    results = []
    for version in options.versions.split(","):
        if version not in pythons:
            print(f"{version}: absent, not judged")
            return 1
        command = _command(version, pythons[version], options.folder)
        results += [_judged(form, version, seeds, command, options.jobs) for form in options.forms.split(",")]
    _print_table(results)
    return 0 if all(result.is_good for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--versions", default="3.11,3.13")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=ROOT / ".interpreters")
    return parser.parse_args()


def _command(version: str, python: Path, folder: Path) -> Path:
    """`leakscan` of this tree under an interpreter, beside a `python` that can import it."""
    site = folder / f"site-{version}" / "site-packages"
    site.mkdir(parents=True, exist_ok=True)
    install_dependencies(version, site)
    place = FOLDER / f"bin-{version}"
    place.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join([str(ROOT / "analyzer"), str(_with_entry_points(place)), str(site)])
    for name, arguments in (("python", ""), ("leakscan", "-m leakscan ")):
        file = place / name
        file.write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" exec "{python}" {arguments}"$@"\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return place / "leakscan"


def _with_entry_points(place: Path) -> Path:
    """A folder by which pytest finds the plugin, as if this tree were installed."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        line
        for group, rows in points.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in rows.items()))
    ]
    info = place / "found" / "leakscan-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leakscan\nVersion: 0\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return info.parent


def _judged(form: str, version: str, seeds: range, command: Path, jobs: int) -> Result:
    start = time.monotonic()
    keep = FOLDER / version
    keep.mkdir(parents=True, exist_ok=True)
    programs = [build(seed, form) for seed in seeds]
    scores = []
    with (FOLDER / f"{form}-{version}.txt").open("w") as failures:
        for score in scored(programs, str(command), jobs=jobs, keep=keep):
            scores.append(score)
            if False in score.checks.values():
                print(row(score), *score.notes, sep="\n        ", file=failures, flush=True)
    print(f"{form} on {version}: {len(scores)} programs in {time.monotonic() - start:.0f} s", flush=True)
    return Result(form, version, tuple(scores))


def _print_table(results: list[Result]) -> None:
    width = max(map(len, CHECKS)) + 4
    print("\n" + " " * 14 + "".join(f"{check:>{width}}" for check in CHECKS))
    print(" " * 14 + "".join(f"{'>= ' + str(LIMITS[check]) + ' %':>{width}}" for check in CHECKS))
    for result in results:
        shares = [result.share(check) for check in CHECKS]
        cells = "".join(f"{f'{right}/{asked}' if asked else '-':>{width}}" for right, asked in shares)
        print(f"{result.form:<8}{result.version:<6}{cells}  {'good' if result.is_good else 'NOT GOOD'}")
    for result in results:
        for what, seeds in (
            ("leaks called innocent", result.acquitted),
            ("innocents called leaks", result.convicted),
        ):
            if seeds:
                print(f"{result.form} on {result.version}: {what}: seeds {', '.join(map(str, seeds))}")
    print(f"what failed is in {FOLDER}")


if __name__ == "__main__":
    sys.exit(main())
