"""Verdicts by what they mean for the program."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.findings import Findings, Verdict

INNOCENT: Final = frozenset((Verdict.CLEAN, Verdict.WARM_UP, Verdict.BOUNDED, Verdict.GARBAGE, Verdict.SLACK))
"""Those whose first line begins with NO LEAK."""


def first_leak(findings: Findings) -> tuple[int, str] | None:
    """How many of which class are told first as a leak; None where the program is innocent."""
    if findings.verdict in INNOCENT:
        return None
    assert findings.verdict is Verdict.LEAK, findings.headline
    leak = findings.leaks[0]
    return leak.count, leak.type_name.rpartition(".")[2]
