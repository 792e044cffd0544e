"""The session maps: each way a session can end, with each layer of the fix."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from leakscan.analysis.results.findings import Verdict
from seeds_measure import FIXTURES, Cell, Measure, measured
from session_maps.maps import ALL

LAYERS = ("none", *str(ALL).split(","), "all")
ROUNDS = 20
Ending = dict[str, Any]


def asked(ending: Ending, layers: str) -> Measure:
    names = {"none": "", "all": str(ALL)}.get(layers, layers)
    return Measure(target=ending["target"], environment={"SESSION_LAYERS": names}, runs=ROUNDS)


def maps() -> list[tuple[Ending, dict[str, Cell]]]:
    """Each way to end, and what leakscan says of it by layer."""
    endings = tomllib.loads((FIXTURES / "session_maps" / "layers.toml").read_text())["ending"]
    cells = iter(
        measured([asked(each, layers) for each in endings for layers in LAYERS], what="session maps")
    )
    return [(ending, {layers: next(cells) for layers in LAYERS}) for ending in endings]


def disagreement(ending: Ending, layers: str, cell: Cell) -> str:
    """How a capture differs from what layers.toml expects, "" when it does not."""
    findings, expected = cell.findings, ending["verdicts"][layers]
    if findings.verdict != expected:
        return f"{ending['target']} with {layers}: {expected} expected, {findings.headline}"
    rate = ending["per_round"] if findings.verdict is Verdict.LEAK else cell.per_run("SessionAgent")
    if cell.per_run("SessionAgent") != rate:
        return f"{ending['target']} with {layers}: {rate} per round expected, {findings.headline}"
    return ""


def bytes_per_round(cell: Cell, rounds: Sequence[int]) -> float:
    """What the heap grew by in these rounds, the first and the last of them included."""
    rows = cell.findings.per_run
    first, last = rows[rounds[0] - 1], rows[rounds[-1]]
    return (last.object_bytes - first.object_bytes) / len(rounds)
