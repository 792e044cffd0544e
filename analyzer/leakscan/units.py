"""Sizes and times as a person writes them: `1.5GB`, `200KiB`, `30s`, `5m`."""

from __future__ import annotations

import re
from typing import Final

from leakscan.errors import UsageError

_SIZES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_TIMES: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_size(text: str) -> int:
    """`1GB`, `50 MB`, `200KiB` in bytes. UsageError when it is no size."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    if match is None or match[2].lower() not in _SIZES:
        raise UsageError(f"not a size: {text!r}", hint="write 500MB, 1.5GB or 200KiB")
    return int(float(match[1]) * _SIZES[match[2].lower()])


def parse_seconds(text: str) -> float:
    """`30s`, `500ms`, `5m`, `2h` in seconds; a bare number is seconds. UsageError otherwise."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    if match is None or (match[2] or "s") not in _TIMES:
        raise UsageError(f"not a time: {text!r}", hint="write 30s, 5m or 2h")
    return float(match[1]) * _TIMES[match[2] or "s"]
