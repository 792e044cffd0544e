"""Rules about what holds the new objects: a bound that one can see, entries that only replace others."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.pace import (
    ENOUGH_RUNS,
    REPLACED,
    SILENCE,
    goes_on,
    runs_with_births,
    standstill_of,
)
from leakscan.analysis.judge.phrases import round_up, runs_text, undecided
from leakscan.analysis.results.findings import Verdict
from leakscan.wording import count_text, rate_text

_MOST_ADVISED: Final = 5000
"""Runs that anyone would wait for."""


def visible_bound(history: History) -> Judgement | None:
    bound, filled = history.bound, history.entries_after
    if bound is None or bound <= 0 or not history.lies_in_the_entries:
        return None
    if filled is None:
        # A link inside a bounded cache: how full it is cannot be read off this reference.
        return (
            Judgement(Verdict.BOUNDED, f"bound {count_text(bound)} visible")
            if history.bound_is_enforced
            else None
        )
    # An lru_cache keeps two or three references of its own besides the entries.
    if filled > bound + 3 and not history.bound_is_enforced:
        return None
    if filled >= bound:
        return Judgement(Verdict.BOUNDED, f"bound {count_text(bound)} visible, full")
    if history.bound_is_enforced:
        return _filling(history, bound, filled)
    if history.runs < ENOUGH_RUNS or not goes_on(history):
        return None
    turnover = replaced(history)
    if turnover is not None and turnover.verdict is Verdict.BOUNDED:
        # Something else keeps it short of the bound: sessions time out before there are too many.
        return turnover
    rate = max(history.total / history.runs, 1e-9)
    text = (
        f"a number {count_text(bound)} that looks like a bound is visible, {count_text(filled)} of it filled"
    )
    left = (bound - filled) / rate
    needed = round_up(int(left * 1.5) + 2 * history.runs)
    if needed > _MOST_ADVISED:
        return Judgement(
            Verdict.INCONCLUSIVE, f"{text}: full after {count_text(int(left))} more runs, if at all"
        )
    return Judgement(Verdict.INCONCLUSIVE, text, runs_needed=needed)


def _filling(history: History, bound: int, filled: int) -> Judgement:
    """A bound that the runtime keeps, and room below it."""
    state = f"{count_text(filled)} of {count_text(bound)} filled"
    grown = history.entries_new if history.entries_before is None else filled - history.entries_before
    if history.runs < ENOUGH_RUNS or not goes_on(history) or grown <= 0:
        return Judgement(Verdict.BOUNDED, f"bound {count_text(bound)} visible, {state}")
    rate = grown / history.runs
    left = -(-(bound - filled) * history.runs // grown)
    return Judgement(
        Verdict.FILLING,
        f"{state}, {rate_text(round(rate, 2))} per run: full after {count_text(left)} more runs",
        rate=history.total / history.runs,
        since_run=runs_with_births(history.births)[0],
    )


def only_replaced(history: History) -> Judgement | None:
    """A container that is as full as before, and holds what is new: too few runs do not matter then."""
    if not history.lies_in_the_entries:
        return None
    return judge_replaced(history.entries_before, history.entries_after)


def one_for_each_place(history: History) -> Judgement | None:
    """What came with the values of a name: there is room for one in each object that has the name."""
    born = zip(history.births, history.entry_births, strict=False)
    if (
        not history.places
        or not history.entry_births
        or any(count and not entries for count, entries in born)
    ):
        return None
    where = "the place" if history.places == 1 else f"each of {count_text(history.places)} places"
    return Judgement(
        Verdict.BOUNDED,
        f"came with the value in {where} that has room for one",
        since_run=runs_with_births(history.births)[0],
    )


def judge_replaced(entries_before: int | None, entries_after: int | None) -> Judgement | None:
    """The verdict on new objects in a container that has no more entries than before; None if it grew."""
    if not entries_before or not entries_after or entries_after > entries_before:
        return None
    return Judgement(
        Verdict.BOUNDED,
        f"new ones take the place of old ones: the holder had {count_text(entries_before)} entries before, "
        f"{count_text(entries_after)} after",
    )


def replaced(history: History) -> Judgement | None:
    """Births that go on while the number alive stands still."""
    since = runs_with_births(history.births)[0]
    before, after, new = history.entries_before, history.entries_after, history.entries_new
    if before and after and history.lies_in_the_entries and after - before <= REPLACED * new:
        return Judgement(
            Verdict.BOUNDED,
            f"new ones take the place of old ones: the holder had {count_text(before)} entries before "
            f"the runs, {count_text(after)} after",
            since_run=since,
        )
    window = standstill_of(history)
    if window < SILENCE:
        return (
            undecided(history, f"the count stood still in the last {runs_text(window)} only")
            if window
            else None
        )
    return Judgement(
        Verdict.BOUNDED,
        f"new ones take the place of old ones: {count_text(sum(history.births[-window:]))} born in the last "
        f"{runs_text(window)}, yet the count stands still at {count_text(history.counts[-1] or 0)}",
        since_run=since,
    )
