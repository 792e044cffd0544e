"""Native memory with known answers: which figures each kind of growth moves, and what the ledger calls it."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from asked import FULL
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture

FIXTURES = Path(__file__).parents[2] / "fixtures"
RUNS = 6
STAYS = [-100_000, 100_000]
FLAT = dict.fromkeys(("malloc_used_bytes", "malloc_free_bytes", "malloc_mapped_bytes", "file_bytes"), STAYS)
SCENARIOS = tomllib.loads((FIXTURES / "native_server" / "memory.toml").read_text())["scenario"]
ASKED = [each for each in SCENARIOS if FULL or not each.get("full")]

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and shutil.which("gcc") is None,
    reason="native_server compiles a library of its own: no C compiler found",
)


@pytest.mark.parametrize("scenario", ASKED, ids=[each["target"] for each in ASKED])
def test_each_kind_of_growth_moves_the_figures_that_it_must(scenario, tmp_path, monkeypatch):
    for package in scenario.get("needs", ()):
        pytest.importorskip(package)
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES), prepend=os.pathsep)
    runs = scenario.get("runs", RUNS)
    settings = Settings(runs=runs, warmup=scenario.get("warmup", 2))
    captured = capture(scenario["target"], output=tmp_path / "leak", settings=settings)
    first, last = captured.census[0].memory, captured.census[-1].memory
    expected = FLAT | scenario["moves"]
    grew = {name: (last[name] - first[name]) / runs for name in expected}
    wrong = {name: per_run for name, per_run in grew.items() if not within(per_run, expected[name])}
    assert wrong == {}
    findings = analysed_capture(captured)
    assert findings.verdict == scenario["verdict"]
    ledger = findings.memory
    assert ledger.cause == scenario["ledger"]
    assert abs(ledger.residue_bytes) <= max(0.03 * ledger.delta, 2_000_000)
    if "line" in scenario:
        worst = max(ledger.rows, key=lambda row: row.delta)
        assert (ledger.causes[0], worst.kind) == (scenario["line"], scenario["line"])


def within(value: float, bounds: list[int]) -> bool:
    return bounds[0] <= value <= bounds[1]
