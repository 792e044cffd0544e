"""A server whose heap is flat while its RSS climbs: no leak for the heap, and the figures show the growth."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from leakscan.analysis.findings import Verdict
from leakscan.capture import Settings, capture
from leakscan.cli.analyse import analysed_capture

FIXTURES = Path(__file__).parent.parent / "fixtures"
SCENARIOS = tomllib.loads((FIXTURES / "native_server" / "memory.toml").read_text())["scenario"]

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and shutil.which("gcc") is None,
    reason="native_server compiles a library of its own: no C compiler found",
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["target"] for scenario in SCENARIOS])
def test_native_growth_is_in_the_figures_and_not_in_the_heap(scenario, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES))
    settings = Settings(runs=8, warmup=scenario.get("warmup", 2))
    findings = analysed_capture(capture(scenario["target"], output=tmp_path / "leak", settings=settings))
    assert findings.verdict in (Verdict.CLEAN, Verdict.GARBAGE, Verdict.BOUNDED), findings.headline
    first, last = findings.per_run[0], findings.per_run[-1]
    least, most = scenario["rss_bytes_per_run"]
    assert least <= (last.rss_bytes - first.rss_bytes) / (last.run - first.run) <= most
