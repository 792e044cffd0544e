"""Capsules: the answers about one capture in a file of at most 200 kB, to be shown again without the heap.

A capsule is plain JSON, so that who shares it can read first what it says. It is data only: reading it builds
the analysis' own dataclasses and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from leakscan import __version__
from leakscan.analysis.cuts.whatif import WhatIf
from leakscan.analysis.results.findings import Findings
from leakscan.analysis.single import TypePaths
from leakscan.analysis.top import Top
from leakscan.errors import UsageError
from leakscan.report.json import FORMAT_PREFIX, as_plain
from leakscan.report.lines import shortened
from leakscan.report.reading import NotAnAnswer, read_as
from leakscan.report.redaction import Redaction, redacted

LARGEST_CAPSULE_BYTES: Final = 200_000
LARGEST_READ_BYTES: Final = 20 * LARGEST_CAPSULE_BYTES
CAPSULE_VERSION: Final = 1
_NAME: Final = FORMAT_PREFIX + "capsule"
_HEAD_BYTES: Final = 64
_LONGEST_TEXT: Final = 400


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
    redaction: str = Redaction.NONE.value
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


def capsule_text(capsule: Capsule, level: Redaction = Redaction.NONE) -> str:
    """The capsule as JSON, at most LARGEST_CAPSULE_BYTES; what did not fit is said in `cut_out`.

    UsageError when even the findings alone are too much.
    """
    if level is not Redaction.NONE:
        capsule = replace(redacted(capsule, level), redaction=level.value)
    for smaller in (_whole, *_STEPS):
        capsule = smaller(capsule)
        text = _text(capsule)
        if len(text.encode()) <= LARGEST_CAPSULE_BYTES:
            return text
    raise UsageError(
        f"the findings alone take {len(text)} bytes; a capsule has room for {LARGEST_CAPSULE_BYTES}",
        hint="--type narrows the question",
    )


def is_capsule(path: Path) -> bool:
    """Whether the file begins as a capsule does; False when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.lstrip()[:1] == b"{" and f'"{_NAME}"'.encode() in head


def read_capsule(path: Path) -> Capsule:
    """The capsule in that file. NotAnAnswer: it is none, or it was damaged or made by hand."""
    hint = "make it again with `leakscan bundle`"
    try:
        if path.stat().st_size > LARGEST_READ_BYTES:
            raise NotAnAnswer(f"{path} is too large to be a capsule", hint=hint)
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise NotAnAnswer(f"cannot read {path} as a capsule: {error}", hint=hint) from None
    if not isinstance(content, dict) or content.pop("format", "") != _NAME:
        raise NotAnAnswer(f"{path} is not a capsule", hint=hint)
    version = content.pop("version", None)
    if version != CAPSULE_VERSION:
        raise NotAnAnswer(
            f"{path} is a capsule of version {version!r}; this leakscan reads {CAPSULE_VERSION}",
            hint="use the leakscan that wrote it, or a newer one",
        )
    capsule = read_as(Capsule, content)
    if not capsule.findings or len(capsule.answers) not in (0, 2 ** len(capsule.patterns)):
        raise NotAnAnswer(f"{path} is damaged: it lacks findings or answers", hint=hint)
    return capsule


def findings_of(capsule: Capsule) -> list[Findings]:
    """The findings of every mode; what was cut out is among what they say is left out."""
    return [
        replace(found, omitted=tuple(dict.fromkeys((*found.omitted, *capsule.cut_out))))
        for found in capsule.findings
    ]


def _text(capsule: Capsule) -> str:
    head = {"format": _NAME, "version": CAPSULE_VERSION}
    return json.dumps({**head, **as_plain(capsule)}, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _whole(capsule: Capsule) -> Capsule:
    return capsule


def _without_paths(capsule: Capsule) -> Capsule:
    said = "paths to types (`leakscan paths`): they did not fit into the capsule"
    return replace(capsule, paths=(), cut_out=(*capsule.cut_out, said)) if capsule.paths else capsule


def _without_top(capsule: Capsule) -> Capsule:
    said = "what the snapshot hangs on (`leakscan top`): it did not fit into the capsule"
    return replace(capsule, top=None, cut_out=(*capsule.cut_out, said)) if capsule.top else capsule


def _with_growth(kept: int) -> Callable[[Capsule], Capsule]:
    def smaller(capsule: Capsule) -> Capsule:
        rows = max(len(found.growth) for found in capsule.findings)
        if rows <= kept:
            return capsule
        findings = tuple(replace(found, growth=found.growth[:kept]) for found in capsule.findings)
        said = f"types below the first {kept} of the table: they did not fit into the capsule"
        return replace(capsule, findings=findings, cut_out=(*capsule.cut_out, said))

    return smaller


def _without_answers(capsule: Capsule) -> Capsule:
    if not capsule.patterns:
        return capsule
    said = "answers of `leakscan whatif`: they did not fit into the capsule"
    return replace(capsule, patterns=(), answers=(), cut_out=(*capsule.cut_out, said))


def _with_leaks(kept: int) -> Callable[[Capsule], Capsule]:
    def smaller(capsule: Capsule) -> Capsule:
        findings = tuple(
            replace(
                found,
                leaks=found.leaks[:kept],
                others=found.others[:kept],
                noise=found.noise[:kept],
                cycles=(),
            )
            for found in capsule.findings
        )
        said = f"leaks and other groups below the first {kept}, and cycles: they did not fit into the capsule"
        return replace(capsule, findings=findings, cut_out=(*capsule.cut_out, said))

    return smaller


def _with_short_texts(capsule: Capsule) -> Capsule:
    shorter: Capsule = _shortened(capsule)
    said = f"the middle of texts longer than {_LONGEST_TEXT} characters"
    return capsule if shorter == capsule else replace(shorter, cut_out=(*shorter.cut_out, said))


def _shortened(value: Any) -> Any:  # Any: the analysis' dataclasses, and their values
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _shortened(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, tuple):
        return tuple(_shortened(item) for item in value)
    return (
        shortened(value, _LONGEST_TEXT) if isinstance(value, str) and not isinstance(value, Enum) else value
    )


_STEPS: Final = (
    _with_short_texts,
    _with_growth(60),
    _without_top,
    _without_paths,
    _with_growth(20),
    _without_answers,
    _with_leaks(20),
    _with_leaks(5),
    _with_leaks(1),
)
