"""V8 snapshots of one size: leakscan beside DevTools' engine and memlab's, all from one run of this file.

bench_v8.py [ORDERS] [--engines] [--repeat N]

Whole processes: CPU of user and system, and the peak of resident memory, starting and imports included.
300 000 orders (the default) make 184 MB with 2.5 million nodes; 1 510 000 make 970 MB with 12.6 million.
`--engines` also measures the engines that tools/v8_engines.py installs from npm, and Python's own `json`
as the floor. Needs node.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / "tools"


@dataclass(frozen=True, slots=True)
class Whole:
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    failed: bool = False


def whole(command: list[str]) -> Whole:
    """What a process and the children it waited for cost from start to end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "analyzer")])}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Whole(
        time.perf_counter() - start,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
        failed=process.returncode != 0,
    )


def commands(before: Path, after: Path, *, engines: bool) -> list[tuple[str, list[str]]]:
    ours = [sys.executable, str(HERE / "v8_one.py")]
    rows = [
        ("leakscan: load", [*ours, "load", str(before), str(after)]),
        ("leakscan: load, dominators, retained", [*ours, "dominators", str(before), str(after)]),
        ("leakscan: diff of the pair", [*ours, "diff", str(before), str(after)]),
    ]
    if engines:
        sys.path.insert(0, str(TOOLS))
        from v8_engines import command, installed

        folder = installed()
        rows += [
            ("Python's json, nothing else", [sys.executable, str(folder / "floor.py"), "load", str(after)]),
            ("DevTools: load, dominators, retained", command("devtools", "load", after, folder)),
            ("memlab: load, dominators, retained", command("memlab", "load", after, folder)),
        ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("orders", nargs="?", type=int, default=300_000)
    parser.add_argument("--engines", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="snapshots are written there, or taken when they exist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = options.keep or Path(directory)
        before, after = (folder / f"{name}-{options.orders}.heapsnapshot" for name in ("before", "after"))
        if not after.exists():
            program = ["node", "--max-old-space-size=12288", str(HERE / "v8_program.mjs")]
            subprocess.run([*program, str(options.orders), str(before), str(after)], check=True)
        print(f"\nV8 snapshot of {after.stat().st_size / 1e6:.0f} MB, whole processes", flush=True)
        print(f"  {'':38} {'wall':>9} {'CPU':>9} {'memory':>9} {'CPU ratio':>10}")
        base = 0.0
        for title, line in commands(before, after, engines=options.engines):
            costs = [whole(line) for _ in range(options.repeat)]
            if any(cost.failed for cost in costs):
                print(f"  {title:38} failed: {' '.join(line[:3])}", flush=True)
                continue
            wall, cpu, peak = (
                statistics.median(getattr(cost, name) for cost in costs)
                for name in ("wall_seconds", "cpu_seconds", "peak_mb")
            )
            base = cpu if "dominators" in title and not base else base
            ratio = f"x{cpu / base:.1f}" if base else ""
            print(f"  {title:38} {wall:7.2f} s {cpu:7.2f} s {peak:6.0f} MB {ratio:>10}", flush=True)


if __name__ == "__main__":
    main()
