"""Scenarios through real captures, each in a process of its own, as many at once as there are cores."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture

FIXTURES = Path(__file__).parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What to capture, and the environment its switches are read from."""

    target: str
    mode: str = "consume"
    environment: dict[str, str] = field(default_factory=dict)
    runs: int = 6
    warmup: int = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """What one capture said, and what it counted."""

    findings: Findings
    figures: tuple[Mapping[str, int], ...]
    """of the process's memory, at the baseline and after each run"""

    @property
    def is_leak(self) -> bool:
        return self.findings.verdict is Verdict.LEAK

    @property
    def bytes_per_run(self) -> float:
        """What all objects grew by, leak or not."""
        first, last = self.findings.per_run[0], self.findings.per_run[-1]
        return (last.object_bytes - first.object_bytes) / self.findings.runs

    @property
    def objects_per_run(self) -> float:
        first, last = self.findings.per_run[0], self.findings.per_run[-1]
        return (last.object_count - first.object_count) / self.findings.runs

    def grew(self, figure: str) -> float:
        return (self.figures[-1][figure] - self.figures[0][figure]) / self.findings.runs

    def per_run(self, type_name: str) -> float:
        """Survivors of the types of this name, per run."""
        rows = self.findings.growth
        return sum(row.delta for row in rows if row.type_name.endswith(f".{type_name}")) / self.findings.runs


def measure(asked: Measure) -> Cell:
    # Of the fixtures first: a folder of the tests' own packages may be among the rest.
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.update(asked.environment, PYTHONPATH=os.pathsep.join(dict.fromkeys([str(FIXTURES), *path])))
    settings = Settings(runs=asked.runs, warmup=asked.warmup)
    with tempfile.TemporaryDirectory(prefix="seeds-") as folder:
        captured = capture(asked.target, output=Path(folder) / "capture", mode=asked.mode, settings=settings)
        findings = analysed_capture(captured)
    counted = [census for census in captured.census if census.phase in ("baseline", "run")]
    return Cell(findings, tuple(census.memory for census in counted))


def measured(asked: Sequence[Measure], *, what: str) -> list[Cell]:
    """One cell for each, in their order; says how far it is on stderr."""
    # Not forked: a capture starts threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        cells = []
        for cell in workers.map(measure, asked):
            cells.append(cell)
            print(f"\r{what}: {len(cells)} of {len(asked)} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return cells
