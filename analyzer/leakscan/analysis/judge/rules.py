"""Leak, warm-up, bounded or undecided: what the counts allow one to say.

The births of survivors are exact: b[r] objects born in run r are alive at the end, all at the same
time. That leaves four ways to be innocent, each with its own test:

- It stopped. If births went on at random, the chance that all K runs with births lie in the first
  `last` of R runs is C(last, K) / C(R, K). Below 1 %, with a silence at the end that is at
  least three runs long and longer than any silence before it, births have stopped.
- It is replaced. When each new object takes the place of an old one, the count of the type stands
  still while the births go on. Over the last w runs a leak grows by its births; a full cache by nothing.
- It is bounded by something one can see: `maxsize`, `maxlen`.
- It was a single event. One run with births gives no rate.

Four more for what the births alone would get wrong:

- It slows down. A table of a finite set of keys fills ever more slowly: births that fall from run to run
  (Mann-Kendall, 2.5 %) are no rate, unless the second half alone has many and no fall of its own.
- It piles up. What goes is younger and younger, but the count rises in every run all the same: a leak, at
  the rate of the count.
- It is emptied in step. When the count fell again and again at equal distances, and never rose higher.
- It was emptied. When as many went away just before the births of today's survivors began, the holder is
  one that is emptied now and then.
- It lets go of old ones. When only the last runs are there and what was there before the runs is gone, the
  holder keeps what is recent.

What none of them explains, in enough runs, is a leak. What is between is inconclusive, with the
number of runs that would decide.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from math import comb
from typing import Final

from leakscan.analysis.judge.emptied import emptied_in_step
from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.holder_rules import (
    one_for_each_place,
    only_replaced,
    replaced,
    visible_bound,
)
from leakscan.analysis.judge.pace import (
    ENOUGH_RUNS,
    MOST,
    REPLACED,
    SILENCE,
    dropped_before,
    growth_over,
    is_regular,
    longest_gap,
    lost_nothing,
    period_of,
    runs_with_births,
    steady_rate,
    trend_of,
)
from leakscan.analysis.judge.phrases import alive_text, listed_text, runs_text, undecided
from leakscan.analysis.results.findings import Verdict
from leakscan.wording import count_text, rate_text

_CHANCE: Final = 0.01
_DOUBTFUL: Final = 0.1
_KEPT: Final = 0.75
"""Growth over births in a window, at least: old objects stay."""
_DRAINING: Final = 10
"""Where one for each so many survivors went away while nothing ran, the others may be on their way too."""
_FALLS: Final = 1.96
"""Standard deviations: a fall that chance makes in one of forty captures."""
_LEVEL: Final = 1.28
_MANY: Final = 20
"""Runs in the second half, with twice as many births, in which a fall that goes on would show."""


@lru_cache(maxsize=4096)
def judge(history: History) -> Judgement:
    """The verdict on one group of survivors. `history.births` must cover every run after the baseline."""
    if not history.total:
        return Judgement(Verdict.CLEAN, "nothing that was born in the runs is alive")
    for rule in _RULES:
        judgement = rule(history)
        if judgement is not None:
            return replace(judgement, reason=rule.__name__.strip("_"))
    return replace(_leak(history), reason="goes_on")


def judge_growth(count_before: int, count_after: int) -> Judgement:
    """The verdict when only two counts are known: growth can be seen, a rate cannot."""
    grown = count_after - count_before
    if grown <= 0:
        return Judgement(Verdict.CLEAN, "it did not grow")
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"grew by {count_text(grown)}; two snapshots without births show growth, not a rate",
        runs_needed=20,
    )


def judge_undated(count: int, counts: tuple[int | None, ...]) -> Judgement:
    """The verdict on new objects without a birth among others that have one: the census dates them.

    They do not come from the allocator: statically allocated objects of extension modules that were loaded in
    the runs, or objects of an extension with an allocator of its own. `counts` is the census of their type.
    """
    known = [count for count in counts if count is not None]
    # With gaps, growth has no run.
    grown = tuple(max(0, later - earlier) for earlier, later in pairwise(known)) if None not in counts else ()
    if not grown:
        return judge_growth(0, count)
    if not any(grown):
        return Judgement(Verdict.BOUNDED, "not from the allocator, and their type did not grow in the runs")
    judgement = judge(History(births=grown, counts=counts))
    stands_still = known[-1] - known[0] <= REPLACED * sum(grown)
    # Fewer than the runs in which there were more: some of those have gone.
    is_other = sum(grown) > 2 * count or len(runs_with_births(grown)) > count
    if judgement.verdict in (Verdict.LEAK, Verdict.INCONCLUSIVE) and (stands_still or is_other):
        return Judgement(Verdict.BOUNDED, "not from the allocator, and their type comes and goes")
    return replace(judgement, evidence=f"by the census of their type: {judgement.evidence}")


def _exact_multiples(history: History) -> Judgement | None:
    """Between snapshots that the same number of runs lies between, an exact multiple is no accident."""
    births, each = history.births, history.runs_each
    if each < 2 or len(set(births)) != 1 or births[0] % each:
        return None
    grown = growth_over(history, history.runs)
    before, after = history.entries_before, history.entries_after
    is_replaced = before is not None and after is not None and after - before < _KEPT * history.entries_new
    # What hangs in a chain on the one entry, or inside of it, is not replaced with it: all of it is alive.
    is_replaced &= history.lies_in_the_entries or history.total <= history.entries_new
    if is_replaced or (grown is not None and grown < _KEPT * history.total):
        return None
    rate = births[0] // each
    text = f"exactly {count_text(rate)} each time, {count_text(history.runs * each)} times"
    # Bounds of caches are round numbers: one that was just filled is a multiple of a round number of runs.
    if each**history.runs * _CHANCE < 1 or (history.runs == 1 and _is_round(each)):
        why = "a cache that fills would look the same"
        return Judgement(Verdict.INCONCLUSIVE, f"{text}; {why}", rate=float(births[0]), every_run=True)
    return Judgement(Verdict.LEAK, text, rate=float(births[0]), every_run=True, since_run=1)


def _is_round(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


def _too_few_runs(history: History) -> Judgement | None:
    if history.runs >= ENOUGH_RUNS:
        return None
    # Intervals of many runs each: what only the last one left alive did not live through all of the others.
    if history.runs > 2 and history.runs_each >= ENOUGH_RUNS and (event := _single_event(history)):
        return event
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"{alive_text(history)} after {runs_text(history.runs)}: too few to tell a leak from a warm-up",
        runs_needed=20,
    )


def _stopped(history: History) -> Judgement | None:
    born = runs_with_births(history.births)
    silence = history.runs - born[-1]
    if silence <= longest_gap(born):
        return None
    chance = comb(born[-1], len(born)) / comb(history.runs, len(born))
    stretch = born[-1] - born[0] + 1
    if silence >= SILENCE and 2 * silence >= stretch:
        # All of them in one stretch of so many runs, wherever it lies.
        places = history.runs - stretch + 1
        chance = min(chance, places * comb(stretch, len(born)) / comb(history.runs, len(born)))
    # A handful of events at the very start is too little for the 1 %, yet the long silence is plain.
    is_early = born[-1] <= max(2, history.runs // 4)
    is_long_over = 2 * silence >= history.runs and silence >= 5 * longest_gap(born)
    if chance >= _CHANCE and not is_long_over and not (is_early and silence >= SILENCE * born[-1]):
        # One in each run of a stretch that is over: no pace of a leak, and too few runs to be the end.
        is_doubtful = len(born) == stretch and silence >= SILENCE and chance < _DOUBTFUL
        return _stopped_or_late(history, silence) if is_doubtful else None
    if silence < SILENCE:
        return _stopped_or_late(history, silence) if silence > 1 else None
    if is_early or chance >= _CHANCE:
        when = f"runs {born[0]}-{born[-1]}" if len(born) > 1 else f"run {born[0]}"
        return Judgement(
            Verdict.WARM_UP, f"born in {when} only, none in the {runs_text(silence)} after", since_run=born[0]
        )
    limit = f" at {count_text(history.entries_after)} entries" if history.entries_after else ""
    return Judgement(
        Verdict.BOUNDED,
        f"grew until run {born[-1]}, then stopped{limit}: none born in the {runs_text(silence)} after",
        since_run=born[0],
    )


def _stopped_or_late(history: History, silence: int) -> Judgement:
    return undecided(history, f"none born in the last {runs_text(silence)}: stopped, or late")


def _single_event(history: History) -> Judgement | None:
    born = runs_with_births(history.births)
    if len(born) > 1:
        return None
    run = born[0]
    if run == history.runs:
        return Judgement(
            Verdict.BOUNDED,
            f"only what the last run made is alive ({count_text(history.total)}), nothing of earlier runs",
            since_run=run,
        )
    return Judgement(
        Verdict.WARM_UP,
        f"born once, in run {run}, and not again in the {runs_text(history.runs - run)} after",
        since_run=run,
    )


def _only_recent(history: History) -> Judgement | None:
    """What lives for a few runs looks like a leak that began a few runs ago, but for the count."""
    born = runs_with_births(history.births)
    lasting = history.runs - born[0] + 1
    if (
        born[0] <= max(2, history.runs // 4)
        or comb(lasting, len(born)) / comb(history.runs, len(born)) >= _CHANCE
    ):
        return None
    moved_on = not history.places and 2 * history.entries_gone > (history.entries_before or 0)
    if lost_nothing(history, born[0]) and lasting >= ENOUGH_RUNS and not (history.released or moved_on):
        return None
    if dropped := dropped_before(history, born[0]):
        return undecided(
            history,
            f"{count_text(dropped)} went away in run {born[0] - 1}, since then they pile up again: "
            "emptied now and then, or not any more",
        )
    if piling_up := _piles_up(history):
        return piling_up
    if _began_where_nothing_goes(history, born[0]):
        return None
    if old_went := _lets_go_of_old_ones(history, born[0]):
        return old_went
    growth = growth_over(history, lasting)
    if growth is not None and growth >= _KEPT * history.total and lasting >= ENOUGH_RUNS:
        if _DRAINING * history.released < history.total:
            return None
        return undecided(
            history,
            f"{count_text(history.released)} more went while it settled, {count_text(history.total)} are "
            "still there: a backlog that drains (a longer --settle shows it), or a leak",
        )
    if history.released:
        return Judgement(
            Verdict.BOUNDED,
            f"in flight: {count_text(history.released)} went away while it settled, "
            f"{count_text(history.total)} of the last {runs_text(lasting)} are still under way",
            since_run=born[0],
        )
    return undecided(
        history, f"all born in runs {born[0]}-{history.runs}: work in flight, or a leak that began"
    )


def _began_where_nothing_goes(history: History, first_born: int) -> bool:
    """What lay there after the warm-up lies there still, nothing went while it settled.

    What keeps a few of the last, or is emptied now and then, would have shown it in the runs before, which
    are the fewer.
    """
    is_kept = history.entries_before is not None and not history.entries_gone
    is_counted = is_kept and bool(history.lost) and history.lies_in_the_entries
    lasting = history.runs - first_born + 1
    is_long = lasting >= 2 * max(ENOUGH_RUNS, first_born - 1)
    return is_counted and is_long and not history.released_anywhere and is_regular(history.births)


def _too_few_events(history: History) -> Judgement | None:
    born = runs_with_births(history.births)
    if len(born) > 3 or period_of(history.births):
        return None
    return undecided(history, f"born in runs {listed_text(born)} only: too few to call it a rate")


def _slows_down(history: History) -> Judgement | None:
    """Births that grow fewer: what fills a finite set looks like a leak until it is nearly full."""
    births, half = history.births, history.runs // 2
    if steady_rate(births)[2] or period_of(births) or trend_of(births) > -_FALLS:
        return None
    late = births[half:]
    if len(late) >= _MANY and sum(late) >= 2 * _MANY and trend_of(late) > -_LEVEL:
        return None
    return undecided(
        history,
        f"{count_text(sum(births[:half]))} born in the first {runs_text(half)}, "
        f"{count_text(sum(late))} in the {runs_text(history.runs - half)} after: "
        "filling up, or a leak that slows down",
    )


def _leak(history: History) -> Judgement:
    births = history.births
    since, rate, is_exact = steady_rate(births)
    if is_exact:
        text = f"{count_text(int(rate))} per run, every run"
        if since > 1:
            text += f" since run {since}"
        if sum(births[: since - 1]):
            text += f" ({count_text(sum(births[: since - 1]))} more before it)"
        return Judgement(Verdict.LEAK, text, rate=rate, every_run=True, since_run=since)
    period = period_of(births)
    if period:
        each = births[runs_with_births(births)[0] - 1]
        return Judgement(
            Verdict.LEAK, f"{count_text(each)} every {period} runs", rate=each / period, since_run=since
        )
    if len(births) > ENOUGH_RUNS and births[0] and len(set(births[:-1])) == 1:
        text = f"{count_text(births[0])} per run, every run, {count_text(births[-1])} in the last"
        return Judgement(Verdict.LEAK, text, rate=float(births[0]), since_run=1)
    born = runs_with_births(births)
    text = f"{rate_text(round(rate, 2))} per run, born in {len(born)} of {runs_text(history.runs)}"
    if since > 1:
        text += f", since run {since}"
    return Judgement(Verdict.LEAK, text, rate=rate, since_run=since)


def _piles_up(history: History) -> Judgement | None:
    """A backlog that is worked off too slowly: the oldest go, yet the count rises in every run."""
    counts = [count for count in history.counts if count is not None]
    if history.released or history.runs < 2 * ENOUGH_RUNS or len(counts) <= history.runs:
        return None
    rises = [later - earlier for earlier, later in pairwise(counts[-history.runs - 1 :])]
    if min(rises) < 0 or sum(rise > 0 for rise in rises) < MOST * history.runs:
        return None
    rate = sum(rises) / history.runs
    return Judgement(
        Verdict.LEAK,
        f"{rate_text(round(rate, 2))} more after each run: old ones go, new ones come faster",
        rate=rate,
        every_run=len(set(rises)) == 1,
        since_run=1,
    )


def _remade_and_more(history: History) -> Judgement | None:
    """All of it is as young as the last run, for each run copies what there was and adds to it."""
    if any(history.births[:-1]) or not (growing := _piles_up(history)):
        return None
    text = f"{rate_text(round(growing.rate, 2))} more after each run, and all are made anew each time"
    return replace(growing, evidence=text)


def _lets_go_of_old_ones(history: History, first_born: int) -> Judgement | None:
    """Only the last runs are there, and what was there before the runs has gone: it keeps what is recent.

    Unless there was more and more of it: then it is worked off too slowly.
    """
    before, gone = history.entries_before or 0, history.entries_gone
    if not gone or 2 * gone < before or not history.lies_in_the_entries:
        return None
    backlog = [count for count in history.lost[:first_born] if count is not None]
    if len(backlog) > SILENCE:
        rises = 4 * (backlog[-1] - backlog[len(backlog) // 2]) > backlog[-1]
    else:
        rises = (history.entries_after or 0) - before > REPLACED * history.entries_new
    if rises:
        return None
    lasting = history.runs - first_born + 1
    return Judgement(
        Verdict.BOUNDED,
        f"only what the last {runs_text(lasting)} left is there: of {count_text(before)} entries from before "
        f"the runs {count_text(gone)} are gone",
        since_run=first_born,
    )


_RULES: Final = (
    visible_bound,
    _remade_and_more,
    only_replaced,
    one_for_each_place,
    _exact_multiples,
    _too_few_runs,
    _stopped,
    _single_event,
    replaced,
    emptied_in_step,
    _only_recent,
    _too_few_events,
    _slows_down,
)
