"""Which steps of a path a cut removes, so that every picture of the path can show it."""

from __future__ import annotations

import re
from typing import Final

from leakscan.analysis.findings import Leak, Path
from leakscan.report.names import CONTAINERS

_KEY: Final = re.compile(r"\[[^\]]*\]")


def cut_steps(leak: Leak, path: Path) -> frozenset[int]:
    """Numbers of the steps of `path` whose reference is a member of the leak's cut."""
    if leak.cut is None:
        return frozenset()
    patterns = {_generalised(member.pattern) for member in leak.cut.members}
    return frozenset(number for number in range(len(path.steps)) if patterns & set(_spellings(path, number)))


def _spellings(path: Path, number: int) -> list[str]:
    """How a pattern may name the reference of step `number`: from its owner on, as `Workflow._runs[*]`."""
    text = _reference(path, number)
    for before in range(number - 1, -1, -1):
        step = path.steps[before]
        if step.type_name not in CONTAINERS:
            owners = {
                name for full in (step.name, step.type_name) for name in (full, full.rpartition(".")[2])
            }
            return [_generalised(owner + text) for owner in owners if owner]
        text = _reference(path, before) + text
    module = path.root.removeprefix("module ")
    return [_generalised(text), _generalised(f"{module}.{text}")]


def _reference(path: Path, number: int) -> str:
    return path.steps[number].reference


def _generalised(pattern: str) -> str:
    return _KEY.sub("[*]", pattern)
