"""The streaming agent of fixtures/streamlab: what must be found in every mode, and not in its fixed twin."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from leakscan import load
from leakscan.analysis.diff import diff
from leakscan.capture import Settings, capture

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED = tomllib.loads((FIXTURES / "streamlab" / "expected.toml").read_text())["scenario"]
RUNS = 6
CASES = [(scenario, mode) for scenario in EXPECTED for mode in scenario["modes"]]
NAMES = [f"{scenario['target'].partition(':')[2]}-{mode}" for scenario, mode in CASES]


def path_text(path) -> str:
    """`module m > default: Workflow > ._runs: dict > ['run-*']: Run`."""
    steps = (f"{step.reference}: {step.type_name.rpartition('.')[2]}" for step in path.steps)
    return " > ".join((path.root, *steps))


@pytest.mark.parametrize(("scenario", "mode"), CASES, ids=NAMES)
def test_leakscan_finds_what_the_fixture_promises(scenario, mode, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES))
    captured = capture(
        scenario["target"], output=tmp_path / "leak", mode=mode, settings=Settings(runs=RUNS, warmup=2)
    )
    rate, chunks = scenario.get("per_run", 0), scenario.get("chunks_per_run", 0)
    counts = [
        [census.types.get(name, (0, 0))[0] for census in captured.census]
        for name in ("streamlab.output.ModelOutput", "streamlab.chunks.Chunk")
    ]
    assert [count - counts[0][0] for count in counts[0]] == [rate * run for run in (*range(RUNS + 1), RUNS)]
    assert counts[1][-1] - counts[1][0] == RUNS * chunks

    findings = diff(load(captured.before), load(captured.after), runs=RUNS, mode=mode)
    assert findings.verdict == scenario["verdict"], findings.headline
    if scenario["verdict"] == "clean":
        assert findings.leaks == ()
        return
    leak = findings.leaks[0]
    assert len(findings.leaks) == 1, [each.type_name for each in findings.leaks]
    assert leak.type_name.rpartition(".")[2] == scenario["type"]
    assert (leak.rate, leak.every_run) == (rate, scenario["every_run"])
    assert leak.holder is not None and leak.holder.label == scenario["holder"]
    assert leak.cut is not None and sorted(member.pattern for member in leak.cut.members) == sorted(
        scenario["cut"]
    )
    assert path_text(leak.path) == scenario["path"]
    assert [path_text(path) for path in leak.also_held_by] == scenario["also_held_by"]
    low, high = scenario["retained_bytes_per_run"]
    assert low <= findings.survivor_bytes / RUNS <= high
