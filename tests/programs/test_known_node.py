"""JavaScript programs with a known answer: each leak with what holds it, each innocent with its acquittal.

`LEAKSCAN_NODE` names another Node than the one on PATH. Those that leave each other alone are asked in one
capture, and each alone with LEAKSCAN_FULL=1.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from asked import kinds
from leakscan.analysis.results.findings import Findings
from leakscan.analysis.results.findings import Path as RetentionPath
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from node_runs import NODE, captured_together, needs_node

PROGRAMS = Path(__file__).parents[1] / "known_node"
KNOWN = tomllib.loads((PROGRAMS / "known.toml").read_text())
ALONE = ("lru_that_fills", "waits_for_an_answer")
"""What keeps the last ones, and what waits, is told of the whole process."""
SETTINGS = Settings(runs=8, warmup=1, settle_seconds=0.5, timeout_seconds=60)


def asked(kind: str) -> list[Any]:
    return kinds(KNOWN[kind], *(name for name in KNOWN[kind] if name in ALONE))


def findings_of(program: str, name: str, folder: Path) -> Findings:
    captured = capture(f"{PROGRAMS / program}:{name}", output=folder / "leak", node=NODE, settings=SETTINGS)
    return analysed_capture(captured)


def written(path: RetentionPath) -> str:
    steps = [f"{step.reference}: {step.type_name}" for step in path.steps]
    return " > ".join([path.root, *steps])


def told(findings: Findings, where: str) -> list[tuple[int, tuple[int, ...]]]:
    """Count and births of each leak that is held there."""
    return [(leak.count, leak.births) for leak in findings.leaks if where in written(leak.path)]


@pytest.fixture(scope="module")
def all_leaks(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("leaks")
    return analysed_capture(captured_together(folder, PROGRAMS / "leaks.mjs", KNOWN["leaks"], SETTINGS))


@needs_node
@pytest.mark.parametrize("name", KNOWN["leaks"])
def test_each_of_many_leaks_is_found_with_what_holds_it(name: str, all_leaks: Findings):
    assert told(all_leaks, KNOWN["leaks"][name]) == [(8, (1,) * 8)]


@needs_node
def test_nothing_else_is_told_beside_many_leaks(all_leaks: Findings):
    assert len(all_leaks.leaks) == len(KNOWN["leaks"])


@needs_node
def test_innocents_in_one_process_are_acquitted(tmp_path: Path):
    names = [name for name in KNOWN["innocents"] if name not in ALONE]
    findings = analysed_capture(captured_together(tmp_path, PROGRAMS / "innocents.mjs", names, SETTINGS))
    assert findings.verdict in {word for name in names for word in KNOWN["innocents"][name]}


@needs_node
@pytest.mark.parametrize("name", asked("leaks"))
def test_what_leaks_is_found_with_what_holds_it(name: str, tmp_path: Path):
    findings = findings_of("leaks.mjs", name, tmp_path)
    assert findings.verdict == "leak"
    assert (8, (1,) * 8) in told(findings, KNOWN["leaks"][name])


@needs_node
@pytest.mark.parametrize("name", asked("innocents"))
def test_what_does_not_leak_is_acquitted(name: str, tmp_path: Path):
    findings = findings_of("innocents.mjs", name, tmp_path)
    assert findings.verdict in KNOWN["innocents"][name]


@needs_node
def test_memory_of_buffers_has_a_row_and_a_projection(tmp_path: Path):
    findings = findings_of("leaks.mjs", "buffers", tmp_path)
    assert findings.verdict == "leak" and told(findings, KNOWN["leaks"]["buffers"]) == [(8, (1,) * 8)]
    assert findings.memory is not None
    row = findings.memory.row("buffers")
    assert row is not None
    assert (row.goes_on, row.delta // 100_000) == (True, 8 * 5)
    assert round(findings.projections[0].bytes / 1e6) == 50
