"""The pace of births and counts: rates, gaps, trends, standstills. Arithmetic on one item for each run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import sqrt
from typing import Final

from leakscan.analysis.judge.history import History

ENOUGH_RUNS: Final = 5
"""With fewer, a warm-up of that length looks the same as a leak."""
SILENCE: Final = 3
"""Runs without births, at least, for births to have stopped."""
REPLACED: Final = 0.25
"""Growth over births in a window, at most: each new object takes the place of an old one."""
MOST: Final = 0.8
_LONG_RUN: Final = 10
"""Equal births one after the other that no warm-up and no cache makes by chance."""


def trend_of(births: tuple[int, ...]) -> float:
    """Mann-Kendall: below 0 when later runs have fewer births, in standard deviations (ties corrected).

    O(n log n): each run is held against those before it, which are kept in order.
    """
    count, score = len(births), 0
    earlier: list[int] = []
    for born in births:
        score += bisect_left(earlier, born) - (len(earlier) - bisect_right(earlier, born))
        insort(earlier, born)
    ties = Counter(births).values()
    variance = (
        count * (count - 1) * (2 * count + 5) - sum(tie * (tie - 1) * (2 * tie + 5) for tie in ties)
    ) / 18
    # One less: the counts are whole numbers.
    return 0.0 if not variance or not score else (score - (1 if score > 0 else -1)) / sqrt(variance)


def steady_rate(births: tuple[int, ...]) -> tuple[int, float, bool]:
    """(since which run, survivors per run, whether every run from there on left exactly that many)."""
    runs = len(births)
    # The first runs may also hold a warm-up: what counts is what every later run does, in three quarters of
    # the runs, or in half of them when those are ten or more.
    most = max(1, runs // 4 + 1, min(runs // 2, runs - _LONG_RUN) + 1)
    alike = next((at for at, born in enumerate(reversed(births)) if born != births[-1]), runs)
    since = runs - alike + 1
    if births[-1] and since <= most:
        return since, float(births[-1]), True
    first = runs_with_births(births)[0]
    rest = births[first - 1 :]
    if first > 1 and len(rest) >= ENOUGH_RUNS and len(set(rest)) == 1:
        return first, float(rest[-1]), True
    gap = longest_gap(runs_with_births(births))
    since = 1 if first <= gap else first
    return since, sum(births) / (runs - since + 1), False


def is_regular(births: tuple[int, ...]) -> bool:
    """Whether the births go on at a pace that no chance makes: equal in each run, or at equal distances."""
    return any(births) and (steady_rate(births)[2] or bool(period_of(births)))


def period_of(births: tuple[int, ...]) -> int:
    """Distance between the runs with births when it is always the same, else 0."""
    born = runs_with_births(births)
    gaps = {later - earlier for earlier, later in pairwise(born)}
    sizes = {births[run - 1] for run in born}
    if len(born) < 3 or len(gaps) != 1 or len(sizes) != 1:
        return 0
    gap = gaps.pop()
    return gap if gap > 1 and born[0] <= gap and len(births) - born[-1] < gap else 0


def lost_nothing(history: History, first_born: int) -> bool:
    """Whether every object of the type that was alive before today's survivors began is alive still."""
    lost = history.lost[:first_born]
    return bool(lost) and None not in lost and not any(lost)


def dropped_before(history: History, first_born: int) -> int:
    """How many of the type went away in the run before today's survivors began, 0 when it was few."""
    counts = history.lost or history.counts
    if len(counts) <= first_born or first_born < 2:
        return 0
    earlier, later = counts[first_born - 2], counts[first_born - 1]
    if earlier is None or later is None:
        return 0
    fell = earlier - later
    return fell if fell > 0 and 2 * fell >= max(history.total, earlier) else 0


def standstill_of(history: History) -> int:
    """How many last runs passed in which the type's count grew far less than its births explain.

    Other objects of the type come and go too: most of the shorter stretches must say the same, or one
    drop long ago would hide a leak.
    """
    longest = still = seen = 0
    summed = list(accumulate(reversed(history.births)))
    for window in range(2, history.runs + 1):
        growth, born = growth_over(history, window), summed[window - 1]
        if growth is None or born < 2:
            continue
        seen += 1
        if growth <= REPLACED * born:
            still += 1
            if still >= MOST * seen:
                longest = window
    return longest


def growth_over(history: History, window: int) -> int | None:
    """How much the type's count grew over the last `window` runs, None when it was not counted."""
    counts = history.counts
    if len(counts) <= window:
        return None
    earlier, later = counts[-1 - window], counts[-1]
    return None if earlier is None or later is None else later - earlier


def goes_on(history: History) -> bool:
    born = runs_with_births(history.births)
    return len(born) > 2 and history.runs - born[-1] <= longest_gap(born)


def runs_with_births(births: tuple[int, ...]) -> list[int]:
    return [run for run, count in enumerate(births, 1) if count]


def is_born_within(births: Sequence[int], runs: Sequence[object]) -> bool:
    """Whether each birth was in a run of which `runs` says that something else was born, too."""
    return not any(count and not is_one for count, is_one in zip(births, runs, strict=True))


def longest_gap(born: list[int]) -> int:
    return max((later - earlier for earlier, later in pairwise(born)), default=1)
