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
    Verdict.CLEAN,
)
"""Worst first. What nothing holds is judged as a whole, and has no place here."""


def rank(verdict: Verdict) -> int:
    return ORDER.index(verdict)
