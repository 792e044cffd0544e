"""Every benchmark, one table after another: `make bench`. About ten minutes on two cores.

The figures to reach stand in the design; machines are noisy, so look at ratios within one run. A file that is
named keeps what was printed, with the machine and the day: `make bench RECORD=docs/explanation/measured.txt`.
Of some, `make bench BENCHES="query open" RECORD=...` puts them in place of those behind the whole run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from measure import HERE

BENCHMARKS = (
    "bench_walk.py",
    "bench_diff.py",
    "bench_births.py",
    "bench_blame.py",
    "bench_kernels.py",
    "bench_v8.py",
    "bench_query.py",
    "bench_open.py",
    "bench_attach.py",
)


_SOME = ", some of them"


def main(record: Path | None, only: frozenset[str]) -> int:
    machine = f"Python {sys.version.split()[0]}, {sys.platform}, {_processor()}, {date.today()}"
    chosen = [name for name in BENCHMARKS if not only or name.removeprefix("bench_")[:-3] in only]
    printed = [_said(f"{machine}{_SOME if only else ''}\n")]
    failed = []
    for name in chosen:
        with subprocess.Popen([sys.executable, name], stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
            assert process.stdout is not None
            printed += [_said(text) for text in process.stdout]
        if process.returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    elif record is not None:
        record.write_text(_before_some(record) * bool(only) + "".join(printed), encoding="utf-8")
    return 1 if failed else 0


def _before_some(record: Path) -> str:
    """What a whole run left in the file."""
    rows = record.read_text(encoding="utf-8").splitlines(keepends=True) if record.exists() else []
    at = next((number for number, row in enumerate(rows) if row.rstrip().endswith(_SOME)), len(rows))
    return "".join(rows[:at]).rstrip("\n") + "\n\n" * bool(at)


def _said(text: str) -> str:
    print(text, end="", flush=True)
    return text


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "an unknown processor"
    model = next(
        (text.partition(":")[2].strip() for text in lines if text.startswith("model name")), "unknown"
    )
    return f"{os.cpu_count()} x {model}"


def _asked() -> tuple[Path | None, frozenset[str]]:
    parser = argparse.ArgumentParser()
    parser.add_argument("record", nargs="?", type=Path)
    parser.add_argument("--only", default="", help="names, separated by blanks: query open")
    given = parser.parse_args()
    return (given.record.absolute() if given.record else None), frozenset(given.only.split())


if __name__ == "__main__":
    raise SystemExit(main(*_asked()))
