"""Results as JSON: one object with a format and a version, the same bytes for the same result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from leakscan.analysis.results.findings import Findings
from leakscan.analysis.results.workers import MergedWorkers
from leakscan.json_values import as_plain

FORMAT_PREFIX = "leakscan-"


def findings_json(findings: Findings) -> str:
    """The whole of the findings, nothing left out; docs/schema/findings-1.json describes it."""
    return document("findings", findings, version=findings.version)


@dataclass(frozen=True, slots=True)
class FindingsByMode:
    """One finding for each mode of a capture; `unreadable` is (mode, reason) of those without an answer.

    `workers`: where the modes are the workers of one supervisor, what they have in common.
    """

    modes: tuple[Findings, ...]
    unreadable: tuple[tuple[str, str], ...]
    workers: MergedWorkers | None = None


def findings_by_mode_json(
    findings: Sequence[Findings],
    unreadable: Sequence[tuple[str, str]],
    workers: MergedWorkers | None = None,
) -> str:
    """The findings of every mode; docs/schema/findings-by-mode-1.json describes it."""
    return document("findings-by-mode", FindingsByMode(tuple(findings), tuple(unreadable), workers))


def document(kind: str, result: object, *, version: int = 1) -> str:
    """A frozen dataclass as a JSON document of this kind: keys sorted, only ASCII, ended by a newline.

    Raises ValueError for a number that JSON does not have (NaN, infinity).
    """
    plain = as_plain(result)
    plain = {**plain, "format": FORMAT_PREFIX + kind, "version": version}
    # Only ASCII: bidi marks and control characters in names stay inert wherever the text is shown.
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
