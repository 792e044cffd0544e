"""Results as JSON: one object with a format and a version, the same bytes for the same result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from leakscan.analysis.results.findings import Findings

FORMAT_PREFIX = "leakscan-"


def findings_json(findings: Findings) -> str:
    """The whole of the findings, nothing left out; docs/schema/findings-1.json describes it."""
    return document("findings", findings, version=findings.version)


@dataclass(frozen=True, slots=True)
class FindingsByMode:
    """One finding for each mode of a capture; `unreadable` is (mode, reason) of those without an answer."""

    modes: tuple[Findings, ...]
    unreadable: tuple[tuple[str, str], ...]


def findings_by_mode_json(findings: Sequence[Findings], unreadable: Sequence[tuple[str, str]]) -> str:
    """The findings of every mode; docs/schema/findings-by-mode-1.json describes it."""
    return document("findings-by-mode", FindingsByMode(tuple(findings), tuple(unreadable)))


def document(kind: str, result: object, *, version: int = 1) -> str:
    """A frozen dataclass as a JSON document of this kind: keys sorted, only ASCII, ended by a newline.

    Raises ValueError for a number that JSON does not have (NaN, infinity).
    """
    plain = as_plain(result)
    plain = {**plain, "format": FORMAT_PREFIX + kind, "version": version}
    # Only ASCII: bidi marks and control characters in names stay inert wherever the text is shown.
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def as_plain(value: object) -> Any:  # Any: JSON values
    """Dataclasses as dicts, tuples as lists, enumerations as their values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [as_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    return value
