"""Capsules as text: the answers about one capture in at most 200 kB, to be shown again without the heap.

A capsule is plain JSON, so that who shares it can read first what it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

from leakscan.analysis.capsule import CAPSULE_VERSION, LARGEST_CAPSULE_BYTES, Capsule
from leakscan.errors import UsageError
from leakscan.heap.sniff import CAPSULE_FORMAT
from leakscan.json_values import as_plain
from leakscan.report.share.redaction import Redaction, redacted
from leakscan.report.text.lines import shortened

_LONGEST_TEXT: Final = 400


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


def _text(capsule: Capsule) -> str:
    head = {"format": CAPSULE_FORMAT, "version": CAPSULE_VERSION}
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
