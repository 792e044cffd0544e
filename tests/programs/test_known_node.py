"""JavaScript programs with a known answer: each leak with what holds it, each innocent with its acquittal.

`LEAKSCAN_NODE` names another Node than the one on PATH. Each is a capture of seconds: those whose
kind another one covers are asked with LEAKSCAN_FULL=1 only.
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
from node_runs import NODE, needs_node

PROGRAMS = Path(__file__).parents[1] / "known_node"
KNOWN = tomllib.loads((PROGRAMS / "known.toml").read_text())
COVERED = frozenset(
    (
        *("map_of_runs", "module_array", "closure", "abandoned_generator", "set_of_things", "private_field"),
        *("awaited_timer", "logged", "nothing", "weak_cache", "lazy_init"),
    )
)
SETTINGS = Settings(runs=8, warmup=1, settle_seconds=0.5, timeout_seconds=60)


def asked(kind: str) -> list[Any]:
    return kinds(KNOWN[kind], *(name for name in KNOWN[kind] if name not in COVERED))


def findings_of(program: str, name: str, folder: Path) -> Findings:
    captured = capture(f"{PROGRAMS / program}:{name}", output=folder / "leak", node=NODE, settings=SETTINGS)
    return analysed_capture(captured)


def written(path: RetentionPath) -> str:
    steps = [f"{step.reference}: {step.type_name}" for step in path.steps]
    return " > ".join([path.root, *steps])


@needs_node
@pytest.mark.parametrize("name", asked("leaks"))
def test_what_leaks_is_found_with_what_holds_it(name: str, tmp_path: Path):
    findings = findings_of("leaks.mjs", name, tmp_path)
    leaks = {leak.type_name: leak for leak in findings.leaks}
    assert findings.verdict == "leak"
    leak = leaks["Thing"] if "Thing" in leaks else findings.leaks[0]
    assert (leak.count, leak.births) == (8, (1,) * 8)
    assert KNOWN["leaks"][name] in written(leak.path)


@needs_node
@pytest.mark.parametrize("name", asked("innocents"))
def test_what_does_not_leak_is_acquitted(name: str, tmp_path: Path):
    findings = findings_of("innocents.mjs", name, tmp_path)
    assert findings.verdict in KNOWN["innocents"][name]


@needs_node
def test_memory_of_buffers_has_a_row_and_a_projection(tmp_path: Path):
    findings = findings_of("leaks.mjs", "buffers", tmp_path)
    assert findings.memory is not None
    row = findings.memory.row("buffers")
    assert row is not None
    assert (row.goes_on, row.delta // 100_000) == (True, 8 * 5)
    assert round(findings.projections[0].bytes / 1e6) == 50
