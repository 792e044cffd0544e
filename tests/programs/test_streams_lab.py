"""The streaming agent: every way a stream ends, the test document's scenarios, and the contract of a fix."""

from __future__ import annotations

import asyncio
import os
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from seeds_measure import Measure, measure  # noqa: E402  (found only with the tools on the path)
from seeds_scenarios import SILENT, SOUND, cases, disagreement  # noqa: E402

# Each mode is a capture of a second or so: all of them only when asked for (`make seeds-all`).
WHICH = "modes" if os.environ.get("LEAKSCAN_SEEDS") == "all" else "fast"
CASES = [*cases("fourteen.toml", key=WHICH), *cases("ways.toml", key=WHICH)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    # measure() changes both; what was there comes back after the test
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("STREAMLAB_FIXES", "")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_stream_that_ends_this_way_leaves_what_is_expected(case):
    assert disagreement(case, measure(case.asked(fixes=""))) == ""


@pytest.mark.parametrize("mode", ["consume", "cancel"])
def test_the_fixed_twin_of_suspended_streams_leaves_nothing(mode):
    asked = Measure(target="streamlab.ways:suspended", mode=mode, environment={"STREAMLAB_FIXES": SOUND})
    assert measure(asked).findings.verdict in SILENT


def test_the_test_document_has_fourteen_scenarios():
    told = tomllib.loads((ROOT / "fixtures" / "streamlab" / "fourteen.toml").read_text())
    assert [scenario["number"] for scenario in told["scenario"]] == list(range(1, 15))


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
        ("bounded_buffers", ["late_reader", "structured_output"]),
        ("weak_references", ["suspended_resumes"]),
        ("type_guards", []),
        ("remove_listeners,forget_suspended", []),
    ],
)
def test_a_fix_breaks_what_it_is_known_to_break(fixes, broken):
    assert broken_by(fixes) == broken


def test_type_guards_close_the_leak_of_runs_whose_memory_is_malformed():
    asked = Measure(target="streamlab.ways:malformed", environment={"STREAMLAB_FIXES": "type_guards"})
    assert not measure(asked).is_leak
