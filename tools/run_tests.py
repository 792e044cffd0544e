"""The whole suite, some files at a time, each time in a pytest of its own: what `make test` runs.

Usage: run_tests.py [--processes N] [OPTIONS OF PYTEST]

Many tests measure the process that they run in. One that has imported every file of the suite, as each worker
of pytest-xdist has, carries a heap four times as large: each snapshot and each collection there takes three
times as long.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from conftest import LONGEST, QUICK  # noqa: E402

SOME: Final = 6
"""Files that run programs go together in so many: starting pytest takes as long as many of their tests."""
MANY: Final = 24
"""And so many of those that draw a heap and look at an answer."""
NO_TESTS: Final = 5
"""What pytest says where options leave no test of these files."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How the tests of some files went."""

    code: int
    output: str
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.code in (0, NO_TESTS)

    @property
    def counts(self) -> Counter[str]:
        """`passed`, `skipped` ... of pytest's last line."""
        last = self.output.rstrip().rpartition("\n")[2]
        return Counter({word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last)})

    @property
    def skipped(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith("SKIPPED ")]


def batches(files: list[Path]) -> list[list[Path]]:
    """The files that go together: those of LONGEST alone and first, in its order; the quick ones last."""
    longest = sorted(
        (file for file in files if file.stem in LONGEST), key=lambda file: LONGEST.index(file.stem)
    )
    quick = [file for file in files if file.stem in QUICK and file not in longest]
    others = [file for file in files if file not in longest and file not in quick]
    return [*([file] for file in longest), *_parts(others, SOME), *_parts(quick, MANY)]


def _parts(files: list[Path], size: int) -> list[list[Path]]:
    return [files[start : start + size] for start in range(0, len(files), size)]


def unneeded(files: list[Path]) -> list[str]:
    """Plugins that these files do without, so that nothing imports trio and hypothesis.

    That is half of the cost of starting pytest, and less heap for tests that walk their own process.
    """
    # Several processes would write one cache.
    found = ["cacheprovider", "anyio", "xdist", "xdist.looponfail"]
    is_used = any("hypothesis" in file.read_text() for file in files)
    return found if is_used else [*found, "hypothesispytest"]


def run(files: list[Path], options: list[str]) -> Ran:
    start = time.monotonic()
    plugins = [word for name in unneeded(files) for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *options, *map(str, files)]
    done = subprocess.run(
        command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Ran(done.returncode, done.stdout, time.monotonic() - start)


def all_files() -> list[Path]:
    return sorted(file for file in (ROOT / "tests").rglob("test_*.py") if "cases" not in file.parts)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=3, metavar="N")
    known, options = parser.parse_known_args(arguments)
    start = time.monotonic()
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    bad = []
    with ThreadPoolExecutor(known.processes) as pool:
        running = {pool.submit(run, files, options): files for files in batches(all_files())}
        for future in as_completed(running):
            ran, files = future.result(), running[future]
            counts += ran.counts
            skipped.update(ran.skipped)
            if not ran.is_good:
                bad.append(files)
                print(ran.output)
            names = ", ".join(file.stem.removeprefix("test_") for file in files)
            print(f"{'ok    ' if ran.is_good else 'FAILED'} {ran.seconds:4.0f} s  {names}", flush=True)
    print(*sorted(skipped), sep="\n")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = ", ".join(f"{counts[word]} {word}" for word in ("failed", "error", "errors", "passed", "skipped"))
    cpu_seconds = used.ru_utime + used.ru_stime
    print(f"{said}, in {time.monotonic() - start:.0f} s ({cpu_seconds:.0f} s of CPU)")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
