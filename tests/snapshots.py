"""Texts kept in tests/expected: compared byte for byte, rewritten with LEAKSCAN_ACCEPT=1 (read the diff)."""

from __future__ import annotations

import os
from pathlib import Path

EXPECTED = Path(__file__).parent / "expected"
# Taken away: leakscan would say of it that it is no setting, and that would be in the texts.
IS_ACCEPTED = os.environ.pop("LEAKSCAN_ACCEPT", "") == "1"


def expected(name: str, actual: str) -> str:
    """The stored text called `name`; with LEAKSCAN_ACCEPT=1 `actual` is stored first."""
    file = EXPECTED / name
    if IS_ACCEPTED:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(actual, encoding="utf-8", newline="")
    return file.read_text(encoding="utf-8") if file.exists() else f"(no {file.name} yet)"
