"""Which rows of a parametrize are always asked.

A test that starts programs takes seconds: one of each kind is enough for a change, all of them for a release.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import pytest

FULL: Final = bool(os.environ.get("LEAKSCAN_FULL"))
"""Inputs that take long, too, and all of each kind."""
COVERED: Final = pytest.mark.skipif(
    not FULL, reason="another of its kind is asked; LEAKSCAN_FULL=1 asks them all"
)


def kinds(rows: Iterable[str], *always: str) -> list[Any]:
    """The rows, those COVERED that are not among `always`."""
    named = list(rows)
    assert set(always) <= set(named), sorted(set(always) - set(named))
    return [row if row in always else pytest.param(row, marks=COVERED) for row in named]
