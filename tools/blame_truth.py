"""Whether `capture --blame` names the line that writes each leak: programs with a known truth, one by one.

Usage: blame_truth.py [--families all] [--known all] [--seeds 0] [--first 1] [--versions 3.12,3.13]

Asks each family of leakgen alone, the small programs of tests/known and, with --seeds, random programs. A
line is exact when its text, or that of the program's line that called the library, is one of the truth's:
a reference into the slot as leakgen knows it, or what blame_truth.toml says. Exit code 1 below 95 per cent.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakgen import registry
from leakgen.judge import _is_of, _patterns
from leakgen.program import Program, build
from test_all import ROOT, find_interpreters

TRUTH = tomllib.loads((ROOT / "tools" / "blame_truth.toml").read_text())
LIMIT = 95


@dataclass(frozen=True, slots=True)
class Answer:
    """About one leak. `said`: exact, wrong, silent, or nobody (no object holds it: no line can)."""

    case: str
    version: str
    said: str
    lines: tuple[str, ...]


def main() -> int:
    options = _options()
    counts: Counter[tuple[str, str]] = Counter()
    pythons = find_interpreters(options.folder)
    for version in options.versions.split(","):
        for answer in _answers(options, version, pythons[version]):
            counts[version, answer.said] += 1
            print(f"{version} {answer.said:7} {answer.case}", *answer.lines, sep="\n        ", flush=True)
    is_good = True
    for version in options.versions.split(","):
        exact, wrong, silent, nobody = (
            counts[version, said] for said in ("exact", "wrong", "silent", "nobody")
        )
        asked = exact + wrong + silent
        share = 100 * exact / max(asked, 1)
        is_good &= share >= LIMIT
        print(
            f"{version}: exact {exact} of {asked} ({share:.1f} %); wrong {wrong}, silent {silent}; "
            f"no object holds it: {nobody}"
        )
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", default="all", help="names, all or none")
    parser.add_argument("--known", default="all", help="names, all or none")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--versions", default="3.12,3.13")
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--folder", type=Path, default=ROOT / ".interpreters")
    return parser.parse_args()


def _answers(options: argparse.Namespace, version: str, python: Path) -> Iterator[Answer]:
    with tempfile.TemporaryDirectory() as temporary:
        keep = (options.keep or Path(temporary)) / version
        families = [f.name for f in registry.load("all")["leak"]]
        for name in _chosen(options.families, families):
            # A seed in which the family does something from the first run on.
            yield from _generated(name, build(3, only=(name,)), keep, version, python)
        known = ROOT / "tests" / "known"
        for name in _chosen(options.known, sorted(p.stem for p in known.glob("leak_*.py"))):
            findings = _captured(f"{known / name}.py:run", keep / name, python)
            yield from _known(name, findings, version, known)
        for seed in range(options.first, options.first + options.seeds):
            yield from _generated(str(seed), build(seed), keep, version, python)


def _chosen(asked: str, every: list[str]) -> list[str]:
    return every if asked == "all" else [] if asked == "none" else asked.split(",")


def _captured(target: str, folder: Path, python: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "analyzer"), "PYTHONDONTWRITEBYTECODE": "1"}
    leakscan = [sys.executable, "-m", "leakscan"]
    where = ["--python", str(python), "--overwrite", "-o", "cap"]
    done = subprocess.run(
        [*leakscan, "capture", target, "--runs", "20", "--blame", *where],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        return {"leaks": [], "warnings": [done.stderr]}
    shown = subprocess.run(
        [*leakscan, "diff", "cap", "--json"], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    (folder / "findings.json").write_text(shown.stdout)
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def _generated(case: str, program: Program, keep: Path, version: str, python: Path) -> Iterator[Answer]:
    folder = keep / f"program-{case}"
    program.write(folder)
    truth = program.truth()
    if not truth["leaks"]:
        return
    findings = _captured("scenario.py:run", folder, python)
    for leak in truth["leaks"]:
        others = [other for other in truth["leaks"] if other is not leak]
        leaks = [each for each in findings["leaks"] if _is_of(leak, each, others)]
        own = TRUTH["families"].get(leak["family"])
        patterns = [own] if own else list(_patterns(leak))
        yield _judged(f"{case} {leak['family']}", version, leaks[:1], patterns, folder, findings["warnings"])


def _known(name: str, findings: dict[str, Any], version: str, folder: Path) -> Iterator[Answer]:
    leaks = [each for each in findings["leaks"] if each["verdict"] == "leak"]
    pattern = TRUTH["known"].get(name, "no truth is written down")
    yield _judged(name, version, leaks[:1], [pattern], folder, findings["warnings"])


def _judged(
    case: str, version: str, leaks: list[Any], patterns: list[str], folder: Path, warnings: list[str]
) -> Answer:
    if not leaks:
        return Answer(case, version, "silent", ("the leak was not told", *warnings))
    rows = [row for leak in leaks for row in leak["written_by"]]
    lines = tuple(f"{_text(row, folder)}" for row in rows)
    if rows:
        # The lines of the holder that is told first: all of them must be right.
        first = [row for row in rows if row["pattern"] == rows[0]["pattern"]]
        is_exact = all(any(re.search(p, _source(row, folder)) for p in patterns) for row in first)
        return Answer(case, version, "exact" if is_exact else "wrong", lines)
    if "nobody" in patterns[0].split("|"):
        return Answer(case, version, "nobody", ())
    return Answer(case, version, "silent", (f"{leaks[0]['type_name']} {leaks[0]['slots']}", *warnings))


def _text(row: dict[str, Any], folder: Path) -> str:
    by = f" <- {row['caller_file']}:{row['caller_line']}" if row["caller_file"] else ""
    where = f"{row['file'][-40:]}:{row['line']}{by} {row['count']}/{row['of']} {row['pattern']}"
    return f"{where} | {_source(row, folder)} | task {row['task']}"


def _source(row: dict[str, Any], folder: Path) -> str:
    file, line = (
        (row["caller_file"], row["caller_line"]) if row["caller_file"] else (row["file"], row["line"])
    )
    path = folder / file
    if not path.exists():
        return f"no such file: {file}"
    lines = path.read_text().splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


if __name__ == "__main__":
    sys.exit(main())
