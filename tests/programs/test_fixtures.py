"""Each program under fixtures/ has an expected.toml beside it: what must be found, and what must not.

Those marked `full`, and `full_modes`, are asked with LEAKSCAN_FULL=1 only.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from asked import FULL
from leakscan import load
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Verdict
from leakscan.answers.measured import measured_of
from leakscan.capture import Settings, capture
from verdicts import INNOCENT

FIXTURES = Path(__file__).parents[2] / "fixtures"
RUNS = 5
CASES = [
    (scenario, mode)
    for file in sorted(FIXTURES.glob("*/expected.toml"))
    for scenario in tomllib.loads(file.read_text())["scenario"]
    if FULL or not scenario.get("full")
    for mode in [*scenario.get("modes", ["consume"]), *(scenario.get("full_modes", []) if FULL else [])]
]
NAMES = [f"{scenario['target']}-{mode}" for scenario, mode in CASES]


def path_text(path) -> str:
    """`module m > default: Workflow > ._runs: dict > ['run-*']: Run`."""
    steps = (f"{step.reference}: {step.type_name.rpartition('.')[2]}" for step in path.steps)
    return " > ".join((path.root, *steps))


@pytest.mark.parametrize(("scenario", "mode"), CASES, ids=NAMES)
def test_leakscan_finds_what_the_fixture_promises(scenario, mode, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES), prepend=os.pathsep)
    for package in scenario.get("needs", ()):
        pytest.importorskip(package, reason=f"{package} is not installed (dependency group `service`)")
    runs = scenario.get("runs", RUNS)
    captured = capture(
        scenario["target"], output=tmp_path / "leak", mode=mode, settings=Settings(runs=runs, warmup=2)
    )
    for type_name, per_run in scenario.get("census", {}).items():
        counts = [census.types.get(type_name, (0, 0))[0] for census in captured.census]
        expected = [counts[0] + per_run * run for run in (*range(runs + 1), runs)]
        assert counts == expected, type_name
    findings = diff(
        load(captured.before),
        load(captured.after),
        runs=runs,
        mode=mode,
        measured=measured_of(captured, runs=runs),
    )
    if scenario["verdict"] == "no leak":
        assert findings.verdict in INNOCENT, findings.headline
        return
    assert findings.verdict == scenario["verdict"], findings.headline
    if findings.verdict is Verdict.LEAK:
        check_leak(findings, scenario)


def check_leak(findings, scenario) -> None:
    assert len(findings.leaks) == 1, [each.type_name for each in findings.leaks]
    leak = findings.leaks[0]
    assert leak.type_name.rpartition(".")[2] == scenario["type"]
    assert (leak.rate, leak.every_run) == (scenario["per_run"], scenario["every_run"])
    assert leak.holder is not None and leak.holder.label == scenario["holder"]
    assert leak.cut is not None
    assert sorted(member.pattern for member in leak.cut.members) == sorted(scenario["cut"])
    if "path" in scenario:
        assert path_text(leak.path) == scenario["path"]
        assert [path_text(path) for path in leak.also_held_by] == scenario["also_held_by"]
        low, high = scenario["retained_bytes_per_run"]
        assert low <= findings.survivor_bytes / findings.runs <= high
