"""How a test is to be measured: what its marker says, or the options for the whole suite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest

from leakscan.errors import UsageError
from leakscan.record.streams import MODES

MARKER: Final = "leakscan"
DEFAULTS: Final[dict[str, Any]] = {"runs": 20, "warmup": 3, "types": (), "modes": "consume", "sites": False}
"""Any: the values of a marker's keywords."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`is_marked`: by a marker, which measures without a first look."""

    runs: int
    warmup: int
    types: tuple[str, ...]
    modes: tuple[str, ...]
    sites: bool
    is_marked: bool


def asked_of(item: pytest.Item) -> Asked | None:
    """How the test is to be measured, None when it is not. UsageError: its marker is wrong."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        if not item.config.getoption("--leakscan"):
            return None
        return Asked(item.config.getoption("--leakscan-runs"), 0, (), ("consume",), False, False)
    if marker.args or set(marker.kwargs) - set(DEFAULTS):
        raise UsageError(f"@pytest.mark.leakscan takes {', '.join(DEFAULTS)}, by name")
    given = {**DEFAULTS, **marker.kwargs}
    modes = _tuple_of(given["modes"])
    modes = MODES if modes == ("all",) else modes
    unknown = sorted(set(modes) - set(MODES))
    if unknown:
        raise UsageError(f"no mode {unknown[0]!r}: all, {', '.join(MODES)}")
    return Asked(given["runs"], given["warmup"], _tuple_of(given["types"]), modes, given["sites"], True)


def _tuple_of(value: Any) -> tuple[str, ...]:  # Any: a marker's keyword
    return (value,) if isinstance(value, str) else tuple(value)
