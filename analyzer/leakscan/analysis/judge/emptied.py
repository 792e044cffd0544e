"""What is emptied again and again: a batch that is written away, a generation that is dropped."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.pace import is_regular, runs_with_births
from leakscan.analysis.judge.phrases import listed_text
from leakscan.analysis.results.findings import Verdict
from leakscan.wording import count_text

_FALL: Final = 0.4
"""Of the most there ever were, that go in one run."""
_OFTEN: Final = 2
"""Falls, at least."""
_TOLD: Final = 5


def emptied_in_step(history: History) -> Judgement | None:
    """A count that fell again and again at equal distances, not long ago, and never rose higher.

    All that is there now is younger than the fall before the last, and came at one pace: no leak has begun.
    """
    counts = [count for count in history.counts if count is not None]
    if len(counts) != history.runs + 1:
        return None
    most = max(counts)
    falls = [
        run
        for run, (earlier, later) in enumerate(pairwise(counts), 1)
        if earlier - later >= max(2, _FALL * most)
    ]
    gaps = [later - earlier for earlier, later in pairwise(falls)]
    if len(falls) < _OFTEN or max(gaps) - min(gaps) > 1 or history.runs - falls[-1] > max(gaps):
        return None
    first = runs_with_births(history.births)[0]
    since = falls[-_OFTEN]
    if (
        first < since
        or not is_regular(history.births[first - 1 :])
        or max(counts[since:]) > max(counts[:since])
    ):
        return None
    listed = listed_text(falls[-_TOLD:])
    return Judgement(
        Verdict.BOUNDED,
        f"emptied every {max(gaps)} runs, in runs {listed}: never more than {count_text(most)}",
        since_run=first,
    )
