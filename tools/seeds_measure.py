"""The matrix of fixes and ways to end, and the scenarios of the test document, through real captures."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakscan.analysis.findings import Findings, Verdict
from leakscan.capture import Settings, capture
from leakscan.cli.analyse import analysed_capture

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
sys.path.insert(0, str(FIXTURES))

from streamlab import contract  # noqa: E402  (found only with the fixtures on the path)
from streamlab.fixes import CUT, NONE, SEVEN, Fixes  # noqa: E402

SETTINGS = Settings(runs=6, warmup=2)
WAYS = (
    ("read to the end", "finished", "consume"),
    ("abandoned", "finished", "abandon"),
    ("suspended", "suspended", "consume"),
    ("model fails", "failed", "consume"),
    ("malformed memory", "malformed", "consume"),
)
COMBINATIONS = (
    Fixes(clear_buffers=True, finalize_processor_state=True),
    Fixes(remove_listeners=True, weak_references=True),
    Fixes(remove_listeners=True, dispose=True),
    Fixes(**dict.fromkeys(SEVEN, True)),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one capture said. `outputs_per_run` counts the ModelOutputs that survive."""

    findings: Findings
    outputs_per_run: float
    bytes_per_run: float

    @property
    def is_leak(self) -> bool:
        return self.findings.verdict is Verdict.LEAK


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    fixes: Fixes
    cells: tuple[Cell, ...]
    broken: dict[str, str]


def measure(target: str, *, mode: str, fixes: Fixes, settings: Settings = SETTINGS) -> Cell:
    """One capture in a process of its own, analysed."""
    os.environ["PYTHONPATH"] = str(FIXTURES)
    os.environ["STREAMLAB_FIXES"] = str(fixes)
    with tempfile.TemporaryDirectory(prefix="seeds-") as folder:
        captured = capture(target, output=Path(folder) / "capture", mode=mode, settings=settings)
        findings = analysed_capture(captured)
    outputs = sum(row.delta for row in findings.growth if row.type_name.endswith(".ModelOutput"))
    leaking = sum(leak.exclusive_bytes for leak in findings.leaks if leak.verdict is Verdict.LEAK)
    return Cell(findings, outputs / findings.runs, leaking / findings.runs)


def matrix() -> list[Row]:
    """None, each fix alone, some together, and leakscan's cut; each with every way to end."""
    rows = [("none", NONE), *((name, Fixes(**{name: True})) for name in SEVEN)]
    rows += [(" + ".join(str(each).split(",")), each) for each in COMBINATIONS[:-1]]
    rows += [("all seven", COMBINATIONS[-1]), ("leakscan's cut", CUT)]
    rows.append(("leakscan's cut + type_guards", Fixes.named(f"{CUT},type_guards")))
    return [_row(label, fixes) for label, fixes in rows]


def _row(label: str, fixes: Fixes) -> Row:
    print(f"fixes: {label}", file=sys.stderr, flush=True)
    cells = tuple(measure(f"streamlab.ways:{name}", mode=mode, fixes=fixes) for _, name, mode in WAYS)
    return Row(label, fixes, cells, asyncio.run(contract.broken_by(fixes)))


def fourteen() -> list[tuple[dict[str, Any], str, Cell]]:
    """Each scenario of the test document with its expectation, in each of its modes."""
    told = tomllib.loads((FIXTURES / "streamlab" / "fourteen.toml").read_text())["scenario"]
    return [
        (scenario, mode, measure(scenario["target"], mode=mode, fixes=NONE))
        for scenario in told
        for mode in scenario["modes"]
    ]


def disagreement(scenario: dict[str, Any], mode: str, cell: Cell) -> str:
    """How a capture differs from what fourteen.toml expects, "" when it does not."""
    findings = cell.findings
    expected = scenario.get("leaks", {}).get(mode)
    if expected is None:
        silent = findings.verdict in (Verdict.CLEAN, Verdict.GARBAGE)
        return "" if silent else f"{mode}: {findings.headline}"
    if not cell.is_leak or len(findings.leaks) != 1:
        return f"{mode}: one leak expected, {findings.headline}"
    leak = findings.leaks[0]
    found = {
        "survivor": "ModelOutput",
        "per_run": cell.outputs_per_run,
        "holder": leak.holder.label if leak.holder else "",
        "cut": [member.pattern for member in leak.cut.members] if leak.cut else [],
        "also_held_by": len(leak.also_held_by),
    }
    return "" if found == expected else f"{mode}: {found} is not {expected}"
