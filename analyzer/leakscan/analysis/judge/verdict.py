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

Three more for what the births alone would get wrong:

- It slows down. A table of a finite set of keys fills ever more slowly: births that fall from run to run
  (Mann-Kendall, 2.5 %) are no rate, unless the second half alone has many and no fall of its own.
- It piles up. What goes is younger and younger, but the count rises in every run all the same: a leak, at
  the rate of the count.
- It was emptied. When as many went away just before the births of today's survivors began, the holder is
  one that is emptied now and then.
- It lets go of old ones. When only the last runs are there and what was there before the runs is gone, the
  holder keeps what is recent.

What none of them explains, in enough runs, is a leak. What is between is inconclusive, with the
number of runs that would decide.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import comb, sqrt
from typing import Final

from leakscan.analysis.results.findings import Verdict
from leakscan.wording import count_text, rate_text

ENOUGH_RUNS: Final = 5
"""With fewer, a warm-up of that length looks the same as a leak."""
_CHANCE: Final = 0.01
_SILENCE: Final = 3
_REPLACED: Final = 0.25
"""Growth over births in a window, at most: each new object takes the place of an old one."""
_KEPT: Final = 0.75
"""Growth over births in a window, at least: old objects stay."""
_MOST: Final = 0.8
_DRAINING: Final = 10
"""Where one for each so many survivors went away while nothing ran, the others may be on their way too."""
_FALLS: Final = 1.96
"""Standard deviations: a fall that chance makes in one of forty captures."""
_LONG_RUN: Final = 10
"""Equal births one after the other that no warm-up and no cache makes by chance."""
_LEVEL: Final = 1.28
_MANY: Final = 20
"""Runs in the second half, with twice as many births, in which a fall that goes on would show."""


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
        first = _runs_with_births(self.entry_births)[0]
        return not any(self.births[: first - 1])


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


@cache
def judge(history: History) -> Judgement:
    """The verdict on one group of survivors. `history.births` must cover every run after the baseline."""
    if not history.total:
        return Judgement(Verdict.CLEAN, "nothing that was born in the runs is alive")
    for rule in _RULES:
        judgement = rule(history)
        if judgement is not None:
            return judgement
    return _leak(history)


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


def judge_replaced(entries_before: int | None, entries_after: int | None) -> Judgement | None:
    """The verdict on new objects in a container that has no more entries than before; None if it grew."""
    if not entries_before or not entries_after or entries_after > entries_before:
        return None
    return Judgement(
        Verdict.BOUNDED,
        f"new ones take the place of old ones: the holder had {count_text(entries_before)} entries before, "
        f"{count_text(entries_after)} after",
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
    return replace(judgement, evidence=f"by the census of their type: {judgement.evidence}")


def _visible_bound(history: History) -> Judgement | None:
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
    if history.runs < ENOUGH_RUNS or not _goes_on(history):
        return None
    replaced = _replaced(history)
    if replaced is not None and replaced.verdict is Verdict.BOUNDED:
        # Something else keeps it short of the bound: sessions time out before there are too many.
        return replaced
    rate = max(history.total / history.runs, 1e-9)
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"a number {count_text(bound)} that looks like a bound is visible, {count_text(filled)} of it filled",
        runs_needed=_round_up(int((bound - filled) / rate * 1.5) + 2 * history.runs),
    )


def _filling(history: History, bound: int, filled: int) -> Judgement:
    """A bound that the runtime keeps, and room below it."""
    state = f"{count_text(filled)} of {count_text(bound)} filled"
    grown = history.entries_new if history.entries_before is None else filled - history.entries_before
    if history.runs < ENOUGH_RUNS or not _goes_on(history) or grown <= 0:
        return Judgement(Verdict.BOUNDED, f"bound {count_text(bound)} visible, {state}")
    rate = grown / history.runs
    left = -(-(bound - filled) * history.runs // grown)
    return Judgement(
        Verdict.FILLING,
        f"{state}, {rate_text(round(rate, 2))} per run: full after {count_text(left)} more runs",
        rate=history.total / history.runs,
        since_run=_runs_with_births(history.births)[0],
    )


def _only_replaced(history: History) -> Judgement | None:
    """A container that is as full as before, and holds what is new: too few runs do not matter then."""
    if not history.lies_in_the_entries:
        return None
    return judge_replaced(history.entries_before, history.entries_after)


def _one_for_each_place(history: History) -> Judgement | None:
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
        since_run=_runs_with_births(history.births)[0],
    )


def _exact_multiples(history: History) -> Judgement | None:
    """Between snapshots that the same number of runs lies between, an exact multiple is no accident."""
    births, each = history.births, history.runs_each
    if each < 2 or len(set(births)) != 1 or births[0] % each:
        return None
    grown = _growth(history, history.runs)
    before, after = history.entries_before, history.entries_after
    is_replaced = before is not None and after is not None and after - before < _KEPT * history.entries_new
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
        f"{_alive(history)} after {_runs(history.runs)}: too few to tell a leak from a warm-up",
        runs_needed=20,
    )


def _stopped(history: History) -> Judgement | None:
    born = _runs_with_births(history.births)
    silence = history.runs - born[-1]
    if silence <= _longest_gap(born):
        return None
    chance = comb(born[-1], len(born)) / comb(history.runs, len(born))
    # A handful of events at the very start is too little for the 1 %, yet the long silence is plain.
    is_early = born[-1] <= max(2, history.runs // 4)
    is_long_over = 2 * silence >= history.runs and silence >= 5 * _longest_gap(born)
    if chance >= _CHANCE and not is_long_over and not (is_early and silence >= _SILENCE * born[-1]):
        return None
    if silence < _SILENCE:
        return (
            _undecided(history, f"none born in the last {_runs(silence)}: stopped, or late")
            if silence > 1
            else None
        )
    if is_early or chance >= _CHANCE:
        when = f"runs {born[0]}-{born[-1]}" if len(born) > 1 else f"run {born[0]}"
        return Judgement(
            Verdict.WARM_UP, f"born in {when} only, none in the {_runs(silence)} after", since_run=born[0]
        )
    limit = f" at {count_text(history.entries_after)} entries" if history.entries_after else ""
    return Judgement(
        Verdict.BOUNDED,
        f"grew until run {born[-1]}, then stopped{limit}: none born in the {_runs(silence)} after",
        since_run=born[0],
    )


def _single_event(history: History) -> Judgement | None:
    born = _runs_with_births(history.births)
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
        f"born once, in run {run}, and not again in the {_runs(history.runs - run)} after",
        since_run=run,
    )


def _replaced(history: History) -> Judgement | None:
    """Births that go on while the number alive stands still."""
    since = _runs_with_births(history.births)[0]
    before, after, new = history.entries_before, history.entries_after, history.entries_new
    if before and after and history.lies_in_the_entries and after - before <= _REPLACED * new:
        return Judgement(
            Verdict.BOUNDED,
            f"new ones take the place of old ones: the holder had {count_text(before)} entries before "
            f"the runs, {count_text(after)} after",
            since_run=since,
        )
    window = _standstill(history)
    if window < _SILENCE:
        return (
            _undecided(history, f"the count stood still in the last {_runs(window)} only") if window else None
        )
    return Judgement(
        Verdict.BOUNDED,
        f"new ones take the place of old ones: {count_text(sum(history.births[-window:]))} born in the last "
        f"{_runs(window)}, yet the count stands still at {count_text(history.counts[-1] or 0)}",
        since_run=since,
    )


def _only_recent(history: History) -> Judgement | None:
    """What lives for a few runs looks like a leak that began a few runs ago, but for the count."""
    born = _runs_with_births(history.births)
    lasting = history.runs - born[0] + 1
    if (
        born[0] <= max(2, history.runs // 4)
        or comb(lasting, len(born)) / comb(history.runs, len(born)) >= _CHANCE
    ):
        return None
    if _lost_nothing(history, born[0]) and lasting >= ENOUGH_RUNS and not history.released:
        return None
    if dropped := _dropped(history, born[0]):
        return _undecided(
            history,
            f"{count_text(dropped)} went away in run {born[0] - 1}, since then they pile up again: "
            "emptied now and then, or not any more",
        )
    if piling_up := _piles_up(history):
        return piling_up
    if old_went := _lets_go_of_old_ones(history, born[0]):
        return old_went
    growth = _growth(history, lasting)
    if growth is not None and growth >= _KEPT * history.total and lasting >= ENOUGH_RUNS:
        if _DRAINING * history.released < history.total:
            return None
        return _undecided(
            history,
            f"{count_text(history.released)} more went while it settled, {count_text(history.total)} are "
            "still there: a backlog that drains (a longer --settle shows it), or a leak",
        )
    if history.released:
        return Judgement(
            Verdict.BOUNDED,
            f"in flight: {count_text(history.released)} went away while it settled, "
            f"{count_text(history.total)} of the last {_runs(lasting)} are still under way",
            since_run=born[0],
        )
    return _undecided(
        history, f"all born in runs {born[0]}-{history.runs}: work in flight, or a leak that began"
    )


def _too_few_events(history: History) -> Judgement | None:
    born = _runs_with_births(history.births)
    if len(born) > 3 or _period(history.births):
        return None
    return _undecided(history, f"born in runs {_listed(born)} only: too few to call it a rate")


def _slows_down(history: History) -> Judgement | None:
    """Births that grow fewer: what fills a finite set looks like a leak until it is nearly full."""
    births, half = history.births, history.runs // 2
    if _steady_rate(births)[2] or _period(births) or _trend(births) > -_FALLS:
        return None
    late = births[half:]
    if len(late) >= _MANY and sum(late) >= 2 * _MANY and _trend(late) > -_LEVEL:
        return None
    return _undecided(
        history,
        f"{count_text(sum(births[:half]))} born in the first {_runs(half)}, {count_text(sum(late))} in the "
        f"{_runs(history.runs - half)} after: filling up, or a leak that slows down",
    )


def _trend(births: tuple[int, ...]) -> float:
    """Mann-Kendall: below 0 when later runs have fewer births, in standard deviations (ties corrected)."""
    count = len(births)
    score = sum(
        (later > births[at]) - (later < births[at]) for at in range(count) for later in births[at + 1 :]
    )
    ties = Counter(births).values()
    variance = (
        count * (count - 1) * (2 * count + 5) - sum(tie * (tie - 1) * (2 * tie + 5) for tie in ties)
    ) / 18
    # One less: the counts are whole numbers.
    return 0.0 if not variance or not score else (score - (1 if score > 0 else -1)) / sqrt(variance)


def _leak(history: History) -> Judgement:
    births = history.births
    since, rate, is_exact = _steady_rate(births)
    if is_exact:
        text = f"{count_text(int(rate))} per run, every run"
        if since > 1:
            text += f" since run {since}"
        if sum(births[: since - 1]):
            text += f" ({count_text(sum(births[: since - 1]))} more before it)"
        return Judgement(Verdict.LEAK, text, rate=rate, every_run=True, since_run=since)
    period = _period(births)
    if period:
        each = births[_runs_with_births(births)[0] - 1]
        return Judgement(
            Verdict.LEAK, f"{count_text(each)} every {period} runs", rate=each / period, since_run=since
        )
    if len(births) > ENOUGH_RUNS and births[0] and len(set(births[:-1])) == 1:
        text = f"{count_text(births[0])} per run, every run, {count_text(births[-1])} in the last"
        return Judgement(Verdict.LEAK, text, rate=float(births[0]), since_run=1)
    born = _runs_with_births(births)
    text = f"{rate_text(round(rate, 2))} per run, born in {len(born)} of {_runs(history.runs)}"
    if since > 1:
        text += f", since run {since}"
    return Judgement(Verdict.LEAK, text, rate=rate, since_run=since)


def _undecided(history: History, why: str) -> Judgement:
    return Judgement(Verdict.INCONCLUSIVE, why, runs_needed=_round_up(3 * history.runs))


def _steady_rate(births: tuple[int, ...]) -> tuple[int, float, bool]:
    """(since which run, survivors per run, whether every run from there on left exactly that many)."""
    runs = len(births)
    # The first runs may also hold a warm-up: what counts is what every later run does, in three quarters of
    # the runs, or in half of them when those are ten or more.
    most = max(1, runs // 4, min(runs // 2, runs - _LONG_RUN) + 1)
    for since in range(1, most + 1):
        if births[since - 1] and len(set(births[since - 1 :])) == 1:
            return since, float(births[-1]), True
    first = _runs_with_births(births)[0]
    rest = births[first - 1 :]
    if first > 1 and len(rest) >= ENOUGH_RUNS and len(set(rest)) == 1:
        return first, float(rest[-1]), True
    gap = _longest_gap(_runs_with_births(births))
    since = 1 if first <= gap else first
    return since, sum(births) / (runs - since + 1), False


def is_regular(births: tuple[int, ...]) -> bool:
    """Whether the births go on at a pace that no chance makes: equal in each run, or at equal distances."""
    return any(births) and (_steady_rate(births)[2] or bool(_period(births)))


def _period(births: tuple[int, ...]) -> int:
    """Distance between the runs with births when it is always the same, else 0."""
    born = _runs_with_births(births)
    gaps = {later - earlier for earlier, later in pairwise(born)}
    sizes = {births[run - 1] for run in born}
    if len(born) < 3 or len(gaps) != 1 or len(sizes) != 1:
        return 0
    gap = gaps.pop()
    return gap if gap > 1 and born[0] <= gap and len(births) - born[-1] < gap else 0


def _piles_up(history: History) -> Judgement | None:
    """A backlog that is worked off too slowly: the oldest go, yet the count rises in every run."""
    counts = [count for count in history.counts if count is not None]
    if history.released or history.runs < 2 * ENOUGH_RUNS or len(counts) <= history.runs:
        return None
    rises = [later - earlier for earlier, later in pairwise(counts[-history.runs - 1 :])]
    if min(rises) < 0 or sum(rise > 0 for rise in rises) < _MOST * history.runs:
        return None
    rate = sum(rises) / history.runs
    return Judgement(
        Verdict.LEAK,
        f"{rate_text(round(rate, 2))} more after each run: old ones go, new ones come faster",
        rate=rate,
        every_run=len(set(rises)) == 1,
        since_run=1,
    )


def _lets_go_of_old_ones(history: History, first_born: int) -> Judgement | None:
    """Only the last runs are there, and what was there before the runs has gone: it keeps what is recent.

    Unless there was more and more of it: then it is worked off too slowly.
    """
    before, gone = history.entries_before or 0, history.entries_gone
    if not gone or 2 * gone < before or not history.lies_in_the_entries:
        return None
    backlog = [count for count in history.lost[:first_born] if count is not None]
    if len(backlog) > _SILENCE:
        rises = 4 * (backlog[-1] - backlog[len(backlog) // 2]) > backlog[-1]
    else:
        rises = (history.entries_after or 0) - before > _REPLACED * history.entries_new
    if rises:
        return None
    lasting = history.runs - first_born + 1
    return Judgement(
        Verdict.BOUNDED,
        f"only what the last {_runs(lasting)} left is there: of {count_text(before)} entries from before "
        f"the runs {count_text(gone)} are gone",
        since_run=first_born,
    )


def _lost_nothing(history: History, first_born: int) -> bool:
    """Whether every object of the type that was alive before today's survivors began is alive still."""
    lost = history.lost[:first_born]
    return bool(lost) and None not in lost and not any(lost)


def _dropped(history: History, first_born: int) -> int:
    """How many of the type went away in the run before today's survivors began, 0 when it was few."""
    counts = history.lost or history.counts
    if len(counts) <= first_born or first_born < 2:
        return 0
    earlier, later = counts[first_born - 2], counts[first_born - 1]
    if earlier is None or later is None:
        return 0
    fell = earlier - later
    return fell if fell > 0 and 2 * fell >= max(history.total, earlier) else 0


def _standstill(history: History) -> int:
    """How many last runs passed in which the type's count grew far less than its births explain.

    Other objects of the type come and go too: most of the shorter stretches must say the same, or one
    drop long ago would hide a leak.
    """
    longest = still = seen = 0
    for window in range(2, history.runs + 1):
        growth, born = _growth(history, window), sum(history.births[-window:])
        if growth is None or born < 2:
            continue
        seen += 1
        if growth <= _REPLACED * born:
            still += 1
            if still >= _MOST * seen:
                longest = window
    return longest


def _growth(history: History, window: int) -> int | None:
    """How much the type's count grew over the last `window` runs, None when it was not counted."""
    counts = history.counts
    if len(counts) <= window:
        return None
    earlier, later = counts[-1 - window], counts[-1]
    return None if earlier is None or later is None else later - earlier


def _goes_on(history: History) -> bool:
    born = _runs_with_births(history.births)
    return len(born) > 2 and history.runs - born[-1] <= _longest_gap(born)


def _runs_with_births(births: tuple[int, ...]) -> list[int]:
    return [run for run, count in enumerate(births, 1) if count]


def _longest_gap(born: list[int]) -> int:
    return max((later - earlier for earlier, later in pairwise(born)), default=1)


def _round_up(runs: int) -> int:
    return max(20, -(-runs // 10) * 10)


def _alive(history: History) -> str:
    return f"{count_text(history.total)} alive"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count_text(count)} runs"


def _listed(runs: list[int]) -> str:
    return str(runs[0]) if len(runs) == 1 else f"{', '.join(map(str, runs[:-1]))} and {runs[-1]}"


_RULES: Final = (
    _visible_bound,
    _only_replaced,
    _one_for_each_place,
    _exact_multiples,
    _too_few_runs,
    _stopped,
    _single_event,
    _replaced,
    _only_recent,
    _too_few_events,
    _slows_down,
)
