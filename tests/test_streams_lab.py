"""The streaming agent under its fixes: the scenarios of the test document, and the contract of a fix."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent.parent / "fixtures"
TOOLS = FIXTURES.parent / "tools"
SCENARIOS = tomllib.loads((FIXTURES / "streamlab" / "fourteen.toml").read_text())["scenario"]
FAST = [(scenario, mode) for scenario in SCENARIOS for mode in scenario["fast"]]


@pytest.fixture(autouse=True)
def _paths(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), str(FIXTURES), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES))
    monkeypatch.setenv("STREAMLAB_FIXES", "")


@pytest.mark.parametrize(
    ("scenario", "mode"), FAST, ids=[f"{scenario['target']}-{mode}" for scenario, mode in FAST]
)
def test_a_scenario_of_the_test_document_leaves_what_is_expected(scenario, mode):
    from seeds_measure import NONE, disagreement, measure

    assert disagreement(scenario, mode, measure(scenario["target"], mode=mode, fixes=NONE)) == ""


def test_the_test_document_has_fourteen_scenarios():
    assert [scenario["number"] for scenario in SCENARIOS] == list(range(1, 15))


def broken_by(names: str) -> list[str]:
    from streamlab.contract import broken_by
    from streamlab.fixes import Fixes

    return sorted(asyncio.run(broken_by(Fixes.named(names))))


@pytest.mark.parametrize(
    ("fixes", "broken"),
    [
        ("", []),
        ("clear_buffers", ["late_reader"]),
        ("finalize_processor_state", ["suspended_resumes"]),
        ("remove_listeners", []),
        ("dispose", ["late_reader", "one_leaves_early", "suspended_resumes"]),
        ("bounded_buffers", ["late_reader"]),
        ("weak_references", ["suspended_resumes"]),
        ("type_guards", []),
        ("remove_listeners,forget_suspended", []),
    ],
)
def test_a_fix_breaks_what_it_is_known_to_break(fixes, broken):
    assert broken_by(fixes) == broken


def test_type_guards_close_the_leak_of_runs_whose_memory_is_malformed():
    from seeds_measure import Fixes, measure

    assert not measure("streamlab.ways:malformed", mode="consume", fixes=Fixes(type_guards=True)).is_leak
