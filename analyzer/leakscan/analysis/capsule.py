"""The answers about one capture that can be kept without the heap, and asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from leakscan import __version__
from leakscan.analysis.cuts.whatif import WhatIf
from leakscan.analysis.one_snapshot import TypePaths
from leakscan.analysis.results.findings import Findings
from leakscan.analysis.top import Top
from leakscan.errors import UsageError

CAPSULE_VERSION: Final = 1
LARGEST_CAPSULE_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Capsule:
    """What was found, and the answers to what may be asked next.

    `answers[mask]` is what removing the `patterns` whose bits are set frees; None for mask 0. `top` is what
    the last snapshot hangs on. `cut_out` says what the heap could have told and this cannot.
    """

    findings: tuple[Findings, ...]
    unreadable: tuple[tuple[str, str], ...]
    patterns: tuple[str, ...]
    answers: tuple[WhatIf | None, ...]
    paths: tuple[TypePaths, ...]
    cut_out: tuple[str, ...]
    redaction: str = "none"
    leakscan: str = __version__
    top: Top | None = None

    def whatif(self, cut: Sequence[str], weak: Sequence[str] = ()) -> WhatIf:
        """The kept answer for these patterns. UsageError names the patterns that were kept."""
        chosen = (*cut, *weak)
        for pattern in chosen:
            if pattern not in self.patterns:
                kept = ", ".join(self.patterns) or "of none"
                raise UsageError(
                    f"{pattern!r} is not in the capsule: the heap is needed for it",
                    hint=f"kept are the answers for {kept}",
                )
        mask = sum({1 << self.patterns.index(pattern) for pattern in chosen})
        answer = self.answers[mask] if mask < len(self.answers) else None
        if answer is None:
            raise UsageError("no reference to cut was named", hint=f"one of {', '.join(self.patterns)}")
        order = {effect.pattern: effect for effect in answer.effects}
        effects = tuple(
            replace(order[pattern], is_weak=number >= len(cut)) for number, pattern in enumerate(chosen)
        )
        return replace(answer, effects=effects)

    def paths_of(self, type_name: str) -> TypePaths:
        """The kept paths to that type. UsageError names the types that were kept."""
        for found in self.paths:
            if found.asked == type_name or found.asked.endswith("." + type_name):
                return found
        kept = ", ".join(found.asked for found in self.paths) or "no type"
        raise UsageError(
            f"paths to {type_name!r} are not in the capsule: the heap is needed for them",
            hint=f"kept are those to {kept}",
        )


def findings_of(capsule: Capsule) -> list[Findings]:
    """The findings of every mode; what was cut out is among what they say is left out."""
    return [
        replace(found, omitted=tuple(dict.fromkeys((*found.omitted, *capsule.cut_out))))
        for found in capsule.findings
    ]
