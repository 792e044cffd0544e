"""Verdicts from the worst to the best: of several populations the worst speaks."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.findings import Verdict

ORDER: Final = (
    Verdict.LEAK,
    Verdict.INCONCLUSIVE,
    Verdict.FILLING,
    Verdict.BOUNDED,
    Verdict.WARM_UP,
    Verdict.GARBAGE,
    Verdict.CLEAN,
)
"""Worst first."""


def rank(verdict: Verdict) -> int:
    return ORDER.index(verdict)
