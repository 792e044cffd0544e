"""The streaming agent of fixtures/streamlab: every census must show what expected.toml says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from leakscan import _native
from leakscan.capture import Settings, capture

pytestmark = pytest.mark.skipif(not hasattr(_native, "snapshot_start"), reason="no recorder in this build")
FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED = tomllib.loads((FIXTURES / "streamlab" / "expected.toml").read_text())["scenario"]
RUNS = 4
CASES = [(scenario, mode) for scenario in EXPECTED for mode in scenario["modes"]]


@pytest.mark.parametrize(
    ("scenario", "mode"), CASES, ids=[f"{scenario['target']}-{mode}" for scenario, mode in CASES]
)
def test_each_run_leaves_what_the_fixture_promises(scenario, mode, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES))
    captured = capture(
        scenario["target"], output=tmp_path / "leak", mode=mode, settings=Settings(runs=RUNS, warmup=2)
    )
    outputs = [census.types.get("streamlab.output.ModelOutput", (0, 0))[0] for census in captured.census]
    chunks = [census.types.get("streamlab.chunks.Chunk", (0, 0))[0] for census in captured.census]
    rate = scenario.get("per_run", 0)
    assert [count - outputs[0] for count in outputs] == [rate * run for run in (0, 1, 2, 3, 4, 4)]
    assert chunks[-1] - chunks[0] == RUNS * scenario.get("chunks_per_run", 0)
