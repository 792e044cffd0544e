"""Every benchmark, one table after another: `make bench`. About ten minutes on two cores.

The figures to reach stand in the design; machines are noisy, so look at ratios within one run. A file that is
named keeps what was printed, with the machine and the day: `make bench RECORD=docs/explanation/measured.txt`.
"""

from __future__ import annotations

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
    "bench_kernels.py",
    "bench_v8.py",
    "bench_query.py",
    "bench_open.py",
)


def main(record: Path | None) -> int:
    printed = [_said(f"Python {sys.version.split()[0]}, {sys.platform}, {_processor()}, {date.today()}\n")]
    failed = []
    for name in BENCHMARKS:
        with subprocess.Popen([sys.executable, name], stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
            assert process.stdout is not None
            printed += [_said(text) for text in process.stdout]
        if process.returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    elif record is not None:
        record.write_text("".join(printed), encoding="utf-8")
    return 1 if failed else 0


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


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None))
