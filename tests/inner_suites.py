"""pytest in a process of its own, with few plugins: what is loaded is in each heap that is measured there."""

from __future__ import annotations

from typing import Final

OTHERS: Final = ("anyio", "asyncio", "hypothesispytest", "platformdirs", "pytest_cov", "xdist")
"""Plugins beside leakscan's that the tests install."""


def without_plugins(*but: str) -> list[str]:
    """Arguments that leave out the plugins of others, those named excepted."""
    left_out = ["cacheprovider", *(name for name in OTHERS if name not in but)]
    return [word for name in left_out for word in ("-p", f"no:{name}")]
