"""Ordinary Node programs that keep nothing, each with a twin that keeps one Thing for each run.

`LEAKSCAN_NODE` names another Node than the one on PATH. All of them together are two captures; each alone
is asked with LEAKSCAN_FULL=1.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from asked import kinds
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from node_runs import NODE, captured_together, needs_node

PROGRAMS = Path(__file__).parents[1] / "known_node" / "pairs.mjs"
PAIRS = re.findall(r"^export (?:async )?function clean_(\w+)", PROGRAMS.read_text(), re.M)
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
CONNECTED = ("http_keep_alive", "fetch")
"""Their connections live on between runs: when those end depends on how fast the other programs are."""
TOGETHER = [name for name in PAIRS if name not in (*UNDECIDED, *CONNECTED)]
TOLD_WITH = {"async_local_storage": "timers: both leave timers that never fire"}
"""What has no leak of its own where all leak in one process."""
INNOCENT = {"clean", "bounded", "warm-up"}


def findings_of(name: str, folder: Path) -> Findings:
    captured = capture(f"{PROGRAMS}:{name}", output=folder / "leak", node=NODE, settings=SETTINGS)
    return analysed_capture(captured)


@needs_node
def test_ordinary_programs_in_one_process_are_no_leak(tmp_path: Path):
    names = [f"clean_{name}" for name in TOGETHER]
    found = analysed_capture(captured_together(tmp_path, PROGRAMS, names, SETTINGS))
    assert found.verdict in INNOCENT, found.headline


@needs_node
def test_each_of_their_twins_is_told_where_all_leak(tmp_path: Path):
    names = [f"leak_{name}" for name in TOGETHER]
    found = analysed_capture(captured_together(tmp_path, PROGRAMS, names, SETTINGS))
    heads = Counter(leak.type_name for leak in found.leaks)
    # The Thing that the program puts into a context of `vm` leads where it has Things elsewhere.
    expected = Counter(
        {**HEADS, "vm": "Thing"}.get(name, "Thing") for name in TOGETHER if name not in TOLD_WITH
    )
    assert heads == expected, found.headline
    assert {leak.count % RUNS for leak in found.leaks} == {0}


@needs_node
@pytest.mark.parametrize("name", kinds(PAIRS, "fetch_aborted", "http_keep_alive"))
def test_an_ordinary_program_is_no_leak(name: str, tmp_path: Path):
    allowed = {*INNOCENT, *(["inconclusive"] if name in UNDECIDED else ())}
    found = findings_of(f"clean_{name}", tmp_path)
    assert found.verdict in allowed, found.headline


@needs_node
@pytest.mark.parametrize("name", kinds(PAIRS, "fetch_aborted", "http_keep_alive"))
def test_its_twin_leaks_in_every_run_and_is_one_leak(name: str, tmp_path: Path):
    found = findings_of(f"leak_{name}", tmp_path)
    assert found.verdict == "leak", found.headline
    # Beside the program's own leak, what undici keeps of an aborted request may go on as well.
    leak = found.leaks[0]
    assert len(found.leaks) == 1 or name in UNDECIDED
    assert (leak.type_name, leak.count % RUNS) == (HEADS.get(name, "Thing"), 0)
