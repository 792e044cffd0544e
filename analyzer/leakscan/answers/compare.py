"""Two captures, before and after a change."""

from __future__ import annotations

from pathlib import Path

from leakscan.analysis.compare import Comparison, ComparisonByMode, compare_modes
from leakscan.analysis.compare import compare as compare_findings
from leakscan.answers.analyse import analysed


def compare(baseline: Path, candidate: Path) -> Comparison | ComparisonByMode:
    """What the change did to each leak; mode by mode where one of the captures has several."""
    (before, unread_before), (after, unread_after) = analysed([baseline]), analysed([candidate])
    if len(before) == len(after) == 1 and not unread_before and not unread_after:
        return compare_findings(before[0], after[0])
    unread = {one.mode: one.reason for one in (*unread_before, *unread_after)}
    by_mode = [{one.mode: one for one in side} for side in (before, after)]
    return compare_modes(by_mode[0], by_mode[1], unread)
