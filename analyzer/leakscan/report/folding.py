"""Long paths made short: steps that repeat, and the middle of what is left, become a count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leakscan.analysis.results.findings import Step
from leakscan.wording import count_text

_LONGEST: Final = 16
_HEAD: Final = 7
_SMALLEST_REPEAT: Final = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A step and its number in the path, or (`step` None) what was folded, in words."""

    step: Step | None
    number: int = -1
    note: str = ""


def fold_steps(steps: Sequence[Step], *, all_steps: bool) -> list[Piece]:
    """The steps as a picture shows them: all of them, or at most a screenful."""
    if all_steps:
        return [Piece(step, number) for number, step in enumerate(steps)]
    pieces: list[Piece] = []
    start = 0
    while start < len(steps):
        end = start
        while end < len(steps) and steps[end] == steps[start]:
            end += 1
        if end - start >= _SMALLEST_REPEAT:
            times = f"... the same {count_text(end - start - 1)} more times"
            pieces += [Piece(steps[start], start), Piece(None, note=times)]
        else:
            pieces += [Piece(steps[number], number) for number in range(start, end)]
        start = end
    if len(pieces) <= _LONGEST:
        return pieces
    left_out = len(pieces) - _LONGEST + 1
    return [
        *pieces[:_HEAD],
        Piece(None, note=f"... {count_text(left_out)} more steps"),
        *pieces[_HEAD + left_out :],
    ]
