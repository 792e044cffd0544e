"""Runs one measured piece of work in a process of its own and collects what it cost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the measured part alone; memory is the growth of the peak over the heap that was there before."""

    wall_seconds: float
    cpu_seconds: float
    extra_peak_mb: float
    note: str = ""


def peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def measured(work: Callable[[], str | None]) -> Cost:
    """Time and memory of `work()` in this process and in the children it waited for."""
    self_before, peak_before = time.process_time(), peak_mb(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    note = work() or ""
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - self_before
    cpu += after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return Cost(wall, cpu, peak_mb(resource.RUSAGE_SELF) - peak_before, note)


def report_cost(cost: Cost) -> None:
    """What a measuring process prints as its last line."""
    print("COST " + json.dumps(asdict(cost)))


def in_own_process(script: str, *arguments: str, timeout_seconds: float = 120) -> Cost | str:
    """The cost that `script` reports, or a sentence saying why there is none."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "analyzer")])}
    try:
        result = subprocess.run(
            [sys.executable, str(HERE / script), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {timeout_seconds:.0f} s"
    for line in reversed(result.stdout.splitlines()):
        if line.startswith("COST "):
            return Cost(**json.loads(line[5:]))
    tail = (result.stderr.strip().splitlines() or ["no output"])[-1]
    return f"failed: {tail[:60]}"


def print_table(title: str, rows: list[tuple[str, Cost | str]], *, first_is_ours: bool = True) -> None:
    """Rows as text, each with its ratio to the first one (ours)."""
    print(f"\n{title}")
    print(f"  {'':38} {'wall':>9} {'CPU':>9} {'memory':>9} {'CPU ratio':>10}")
    base = rows[0][1] if first_is_ours and isinstance(rows[0][1], Cost) else None
    for name, cost in rows:
        if isinstance(cost, str):
            print(f"  {name:38} {cost}")
            continue
        ratio = f"x{cost.cpu_seconds / base.cpu_seconds:.1f}" if base and base.cpu_seconds else ""
        line = f"{cost.wall_seconds:8.3f}s {cost.cpu_seconds:8.3f}s {cost.extra_peak_mb:6.0f} MB {ratio:>10}"
        print(f"  {name:38} {line}  {cost.note}".rstrip())
