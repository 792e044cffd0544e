"""Scenarios of the streaming agent with the answers expected of them: fourteen.toml and ways.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from leakscan.analysis.results.findings import Leak, Path, Verdict
from seeds_measure import FIXTURES, Cell, Measure, measured
from streamlab.fixes import CUT

SOUND = f"{CUT},type_guards"
SILENT = (Verdict.CLEAN, Verdict.GARBAGE)

# Any in this file: TOML values.


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario in one mode. `held` are the slots that must hold its outputs; () when nothing may stay."""

    scenario: dict[str, Any]
    mode: str
    held: tuple[dict[str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.scenario['target']}, {self.mode}"

    def asked(self, *, fixes: str = "") -> Measure:
        return Measure(target=self.scenario["target"], mode=self.mode, environment={"STREAMLAB_FIXES": fixes})


@dataclass(frozen=True, slots=True)
class Answer:
    case: Case
    leaky: Cell
    sound: Cell | None
    """with leakscan's cut and the type guards; None where nothing leaks without them"""

    @property
    def disagreement(self) -> str:
        wrong = disagreement(self.case, self.leaky)
        if self.sound is not None and self.sound.findings.verdict not in SILENT:
            wrong += f"{self.case.name}: silence expected of the fixed twin, {self.sound.findings.headline}"
        return wrong


def cases(file: str, *, key: str = "modes") -> list[Case]:
    """The scenarios of a file in each of their `modes`, or in the `fast` ones."""
    told = tomllib.loads((FIXTURES / "streamlab" / file).read_text())
    return [
        Case(scenario, mode, tuple(told["held"][name] for name in scenario.get("leaks", {}).get(mode, ())))
        for scenario in told["scenario"]
        for mode in scenario[key]
    ]


def answers(file: str) -> list[Answer]:
    told = cases(file)
    twins = [case for case in told if case.held]
    cells = measured([case.asked() for case in told] + [case.asked(fixes=SOUND) for case in twins], what=file)
    sound = dict(zip((case.name for case in twins), cells[len(told) :], strict=True))
    return [
        Answer(case, cell, sound.get(case.name)) for case, cell in zip(told, cells[: len(told)], strict=True)
    ]


def disagreement(case: Case, cell: Cell) -> str:
    """How a capture differs from what is expected, "" when it does not."""
    findings = cell.findings
    if not case.held:
        return "" if findings.verdict in SILENT else f"{case.name}: silence expected, {findings.headline}"
    if not cell.is_leak or len(findings.leaks) != 1:
        return f"{case.name}: one leak expected, {findings.headline}"
    found, expected = _found(findings.leaks[0]), _expected(case)
    return "" if found == expected else f"{case.name}: {found} is not {expected}"


def _expected(case: Case) -> dict[str, Any]:
    return {
        "type": case.held[0].get("type", "ModelOutput"),
        "per_run": (1.0, True),
        "holder": case.held[0]["holder"],
        "cut": [slot["cut"] for slot in case.held],
        "paths": [slot["path"] for slot in case.held],
    }


def _found(leak: Leak) -> dict[str, Any]:
    return {
        "type": leak.type_name.rpartition(".")[2],
        "per_run": (leak.rate, leak.every_run),
        "holder": leak.holder.label if leak.holder else "",
        "cut": [member.pattern for member in leak.cut.members] if leak.cut else [],
        "paths": [path_text(path) for path in (leak.path, *leak.also_held_by)],
    }


def path_text(path: Path) -> str:
    """`module m > default: Workflow > ._runs: dict > ['run-*']: Run`."""
    steps = (f"{step.reference}: {step.type_name.rpartition('.')[2]}" for step in path.steps)
    return " > ".join((path.root, *steps))
