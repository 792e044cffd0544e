"""What filled the memory of a process that came to its limit: the question of whoever finds it dead.

A cache that was filled once and a burst of requests are no leak by their births, and ended the process all
the same. Where no leak is seen they are undecided: whether it comes again, only a second box can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from leakscan.analysis.assemble import Judged, badness, cut_of_group
from leakscan.analysis.cuts.cuts import CutSearch
from leakscan.analysis.results.findings import Leak, RunFigures, Verdict
from leakscan.wording import size_text

AGAIN: Final = "leakscan guard again, with a higher memory limit: what grows there, too, is a leak"
_PART: Final = 4
"""Of the growth, one part of so many at least: less did not fill it."""


def with_what_filled(
    judged: Sequence[Judged], per_run: Sequence[RunFigures], cuts: CutSearch
) -> list[Judged]:
    """`judged` where each group that holds a good part of what the process grew by says so, worst first.

    What stopped, or came once, is undecided then. What the library itself made (noise) is left as it is.
    """
    grown = max(0, per_run[-1].rss_bytes - per_run[0].rss_bytes) if per_run else 0
    # Where the walk was ended early, most of what they hold is not known, and nobody's share is.
    known = sum(_weight(one.leak) for one in judged)
    return sorted(
        (_told(one, grown or known, cuts) if _fills(one, grown or known) else one for one in judged),
        key=badness,
    )


def _fills(one: Judged, grown: int) -> bool:
    return not one.leak.noise and _weight(one.leak) * _PART >= grown > 0


def _weight(leak: Leak) -> int:
    return (leak.growth_bytes or leak.exclusive_bytes) + leak.native_bytes


def _told(one: Judged, grown: int, cuts: CutSearch) -> Judged:
    leak, weight = one.leak, _weight(one.leak)
    if leak.verdict is Verdict.LEAK:
        return replace(one, leak=replace(leak, filled_bytes=weight))
    share = f"this is what filled the memory, {size_text(weight)} of {size_text(max(grown, weight))}"
    cut = leak.cut or (cut_of_group(cuts, one.group) if one.group is not None else None)
    undecided = replace(
        leak,
        verdict=Verdict.INCONCLUSIVE,
        evidence=f"{share}; {leak.evidence}",
        cut=cut,
        filled_bytes=weight,
    )
    return replace(one, leak=undecided, runs_needed=max(1, one.runs_needed))
