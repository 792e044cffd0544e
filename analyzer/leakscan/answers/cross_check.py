"""Have other tools count the heap of a scenario in the same process at the same moment as leakscan."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from leakscan.analysis.cross_check import CrossCheck, compare_counts
from leakscan.capture.scenario.job import run_job
from leakscan.capture.scenario.observe import driver_config
from leakscan.capture.scenario.settings import Settings
from leakscan.heap.reader import load


def cross_check(
    target: str, *, settings: Settings, python: str | None = None
) -> tuple[tuple[CrossCheck, ...], dict[str, str]]:
    """A comparison for each tool that the target's environment has; and why the others are missing."""
    with tempfile.TemporaryDirectory(prefix="leakscan-check-") as folder:
        config = driver_config(target, "consume", settings, Path(folder), is_interactive=False)
        order = {**config, "cross_check": folder}
        run_job("cross_check", order, python=python, what=f"{target} could not be counted")
        found = json.loads((Path(folder) / "counted.json").read_text(encoding="utf-8"))
        checks = compare_counts(load(Path(folder) / "counted.heap"), found["counted"])
    return checks, dict(found["missing"])
