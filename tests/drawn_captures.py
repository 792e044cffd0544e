"""Capture directories drawn by hand: two heaps and what was counted between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heaps import heap
from leakscan.heap.writer import write

BEFORE = """
    module app -> m; m -[.__dict__]-> ns
    ns -['flow']-> flow; flow -[._runs]-> runs
    m: module name=app at=app.py:1
    ns: dict; flow: app.Workflow; runs: dict
"""
RUNS = 20


def leaking(runs: int = RUNS) -> str:
    """BEFORE after so many runs, each of which left one Output in Workflow._runs."""
    rows = [BEFORE.replace("flow: app.Workflow", "flow: app.Workflow birth=0")]
    for run in range(1, runs + 1):
        rows.append(f"runs -['run-{run}']-> out{run}; out{run}: app.Output size=1000 birth={run}")
    return "\n".join(rows)


CLEAN = BEFORE.replace("flow: app.Workflow", "flow: app.Workflow birth=0")


def draw_capture(
    directory: Path,
    *,
    before: str | None = BEFORE,
    after: str | None = None,
    runs: int = RUNS,
    completed: int | None = None,
    mode: str = "consume",
    **changes: Any,  # Any: JSON values of run.json
) -> Path:
    """A capture directory; a snapshot that is None was not taken. `changes` are entries of run.json."""
    directory.mkdir(parents=True, exist_ok=True)
    completed = runs if completed is None else completed
    snapshots = []
    drawings = (
        ("before.heap", before, 0),
        ("after.heap", leaking(completed) if after is None and "error" not in changes else after, completed),
    )
    for name, drawing, run in drawings:
        if drawing is not None:
            write(heap(drawing, meta={"python": "3.11.7", "run": run, "births": True}), directory / name)
            snapshots.append({"file": name, "run": run, "pause_seconds": 0.001})
    run_file = {
        "format": "leakscan-capture",
        "version": 1,
        "status": "complete",
        "target": "app:work",
        "mode": mode,
        "scenario": "function",
        "runs": runs,
        "runs_completed": completed,
        "warmup": 3,
        "chunks": 3,
        "python": "3.11.7",
        "platform": "linux-x86_64",
        "snapshots": snapshots,
        "ended": {"finished": completed},
        "in_flight": None,
        "proof": None,
        "missing": [],
        "error": None,
    }
    (directory / "run.json").write_text(json.dumps({**run_file, **changes}))
    (directory / "census.jsonl").write_text("".join(_census_rows(completed)))
    return directory


def draw_modes(directory: Path, modes: dict[str, str | None]) -> Path:
    """A capture of several modes; `modes` gives the heap after the runs of each, None: it was not taken."""
    directory.mkdir(parents=True, exist_ok=True)
    for mode, after in modes.items():
        changes: dict[str, Any] = {} if after is not None else {"status": "failed", "missing": ["after.heap"]}
        draw_capture(directory / mode, after=after, mode=mode, before=BEFORE if after else None, **changes)
    listed = {"format": "leakscan-capture", "version": 1, "modes": dict.fromkeys(modes, "complete")}
    (directory / "run.json").write_text(json.dumps(listed))
    return directory


def _census_rows(runs: int) -> list[str]:
    return [
        json.dumps(
            {
                "phase": "run" if run else "baseline",
                "run": run,
                "object_count": 100 + run,
                "object_bytes": 10_000 + 1_000 * run,
                "collected": 0,
                "tasks": 0,
                "seconds": 0.1,
                "memory": {"rss_bytes": 20_000_000 + 4_096 * run},
                "types": {"app.Output": [run, 1_000 * run]} if run else {"dict": [3, 300]},
            }
        )
        + "\n"
        for run in range(runs + 1)
    ]
