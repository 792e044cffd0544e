"""Verdicts by what they mean for the program."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.findings import Verdict

INNOCENT: Final = frozenset((Verdict.CLEAN, Verdict.WARM_UP, Verdict.BOUNDED, Verdict.GARBAGE, Verdict.SLACK))
"""Those whose first line begins with NO LEAK."""
