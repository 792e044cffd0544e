"""What was counted of some new objects, and what that allows one to say."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.results.findings import Verdict


@dataclass(frozen=True, slots=True)
class History:
    """What was counted of one group of survivors, or of all survivors of a type.

    `births[r]` live survivors were born in run r + 1, one item for each run; `counts` is the
    census of their type after 0, 1, ... runs, None where it was not taken, () when never. `entries_*`
    count the references of their holder (`entries_new`: those to new objects). `bound` is the limit seen on
    it: `bound_is_enforced` by the runtime (a deque, an lru_cache), or just a number with a telling name.
    `released` objects of the type went away while nothing ran (settling), before the last snapshot.
    """

    births: tuple[int, ...]
    counts: tuple[int | None, ...] = ()
    entries_before: int | None = None
    entries_after: int | None = None
    entries_new: int = 0
    entries_gone: int = 0
    """entries from before the runs that are no longer there"""
    entry_births: tuple[int, ...] = ()
    """births of the entries themselves by run, () when not known: what is older was put in a new entry"""
    lost: tuple[int | None, ...] = ()
    """objects of the type that were alive after 0, 1, ... runs and are not any more, wherever they were"""
    places: int = 0
    """places with room for one entry each, 0 when the entries can be any number: the slot is one name"""
    bound: int | None = None
    bound_is_enforced: bool = False
    released: int = 0
    released_anywhere: int = 0
    """the same where the type lies in other places as well: which of them let go is not known"""
    runs_each: int = 0
    """runs of the scenario behind each item of `births`, 0 when nobody said"""

    @property
    def runs(self) -> int:
        return len(self.births)

    @property
    def total(self) -> int:
        return sum(self.births)

    @property
    def lies_in_the_entries(self) -> bool:
        """Whether nothing here is older than the entries: of a list that was made anew only the list is."""
        if not any(self.entry_births):
            return True
        first = next(run for run, count in enumerate(self.entry_births) if count)
        return not any(self.births[:first])


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the counts say, and why.

    `evidence` is one line for a reader. `rate` is survivors per run, `every_run` when each run from
    `since_run` on left exactly that many. `runs_needed` is 0 unless more runs would decide.
    """

    verdict: Verdict
    evidence: str
    rate: float = 0.0
    every_run: bool = False
    since_run: int = 0
    runs_needed: int = 0
    reason: str = ""
    """which rule said so"""
