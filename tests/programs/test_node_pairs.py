"""Ordinary Node programs that keep nothing, each with a twin that keeps one Thing for each run.

`LEAKSCAN_NODE` names another Node than the one on PATH. Each pair is two captures of seconds: one pair
of each kind that known_node does not have is asked, all of them with LEAKSCAN_FULL=1.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asked import kinds
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from node_runs import NODE, needs_node

PROGRAMS = Path(__file__).parents[1] / "known_node" / "pairs.mjs"
PAIRS = re.findall(r"^export (?:async )?function clean_(\w+)", PROGRAMS.read_text(), re.M)
ONE_OF_EACH = (
    *("http_keep_alive", "fetch_aborted", "async_local_storage", "web_streams"),
    *("worker", "vm", "async_generator"),
)
RUNS = 8
SETTINGS = Settings(runs=RUNS, warmup=3, settle_seconds=0.7, timeout_seconds=60)
HEADS = {
    # What is abandoned speaks for what its locals hold.
    "async_generator": "items",
    "emitter_iterated": "FixedQueue",
    "performance": "PerformanceMark",
    "vm": "Function",
}
"""What the leak is called after where it is not the Thing."""
UNDECIDED = {"fetch_aborted": "what undici keeps of an aborted request goes later"}


def findings_of(name: str, folder: Path) -> Findings:
    captured = capture(f"{PROGRAMS}:{name}", output=folder / "leak", node=NODE, settings=SETTINGS)
    return analysed_capture(captured)


@needs_node
@pytest.mark.parametrize("name", kinds(PAIRS, *ONE_OF_EACH))
def test_an_ordinary_program_is_no_leak(name: str, tmp_path: Path):
    allowed = {"clean", "bounded", "warm-up", *(["inconclusive"] if name in UNDECIDED else ())}
    found = findings_of(f"clean_{name}", tmp_path)
    assert found.verdict in allowed, found.headline


@needs_node
@pytest.mark.parametrize("name", kinds(PAIRS, "fetch_aborted", "worker", "async_generator"))
def test_its_twin_leaks_in_every_run_and_is_one_leak(name: str, tmp_path: Path):
    found = findings_of(f"leak_{name}", tmp_path)
    assert found.verdict == "leak", found.headline
    # Beside the program's own leak, what undici keeps of an aborted request may go on as well.
    leak = found.leaks[0]
    assert len(found.leaks) == 1 or name in UNDECIDED
    assert (leak.type_name, leak.count % RUNS) == (HEADS.get(name, "Thing"), 0)
