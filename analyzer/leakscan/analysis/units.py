"""A leak in the words of what its births were counted by, when that is not the run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from leakscan.analysis.results.findings import Leak, Path

_RUN: Final = re.compile(r"\brun(s?)\b")


def in_units(leak: Leak, unit: str) -> Leak:
    """`leak` with "run" written as `unit` in its evidence and notes, which hold no name of the program."""
    if unit == "run":
        return leak
    return replace(
        leak,
        evidence=_said(leak.evidence, unit),
        path=_path(leak.path, unit),
        also_held_by=tuple(_path(path, unit) for path in leak.also_held_by),
    )


def _path(path: Path, unit: str) -> Path:
    return replace(path, steps=tuple(replace(step, note=_said(step.note, unit)) for step in path.steps))


def _said(text: str, unit: str) -> str:
    return _RUN.sub(rf"{unit}\1", text)
