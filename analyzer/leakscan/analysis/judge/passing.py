"""Stages: objects of one type that lie in a buffer first, and are moved on to where they stay.

Births in the place where they stay end before the last run, as if it had been filled once; those in the
buffer begin late, as if a leak had begun. Together they are what the type left in every run, and nothing of
it went. Or all of it is dropped now and then, which the counts of one stage alone cannot show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.judge.emptied import emptied_in_step
from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.pace import (
    ENOUGH_RUNS,
    is_born_within,
    is_regular,
    runs_with_births,
    standstill_of,
    steady_rate,
)
from leakscan.analysis.judge.phrases import undecided
from leakscan.analysis.judge.rules import judge
from leakscan.analysis.judge.slots import ACCUMULATING, SlotJudgement, TypeHistory, worst_of
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.entries import Entries
from leakscan.wording import count_text, rate_text

_FEW: Final = 4
"""Runs that arrived for each of the first that did not, at least."""
_SURE: Final = 40
"""Runs after which no pool is full at just the right moment."""
_ENOUGH_FOR_A_NAME: Final = 20
"""Runs in which a name that only keeps the last batch has shown it."""
_LONG: Final = 10
"""Runs in which a type grew by nothing, for it to have a number that it keeps to."""
_STAYS: Final = "stays"
_PASSES_ON: Final = Judgement(
    Verdict.BOUNDED, "on their way: what is older has been moved to where it stays", reason="passes_on"
)


def judge_stages(
    holding: Holding,
    types: TypeHistory,
    entries: Sequence[Entries],
    populations: Sequence[Sequence[Population]],
    judged: Sequence[SlotJudgement],
) -> list[SlotJudgement]:
    """The judgements on all slots, those on the stages of one way set right. O(populations of slots)."""
    found = list(judged)
    shared = _in_several_slots(populations)
    if not shared:
        return found
    whole = {each.type_row: each.births for each in holding.populations(np.arange(holding.sets.count))}
    names = holding.reach.graph.type_names
    for row, births in shared.items():
        counted = History(whole[row], tuple(types.counts.get(names[row], ())))
        if emptied := emptied_in_step(counted):
            changed = {
                slot: _in_step(found[slot], populations[slot], births[slot], emptied) for slot in births
            }
        elif (window := _still_for(counted)) >= _LONG and (
            still := _stands_still(counted, window, row, births, populations, found)
        ):
            changed = still
        elif window >= ENOUGH_RUNS and (parts := _parts_of_the_whole(row, births, populations, found)):
            changed = parts
        else:
            lost = types.lost.get(names[row], (None,))
            loses = any(count is None or count for count in lost)
            ways = _ways(births, entries, loses=loses)
            if not ways and not loses and is_regular(whole[row]):
                ways = _somewhere(row, births, whole[row], entries, found)
            changed = {
                slot: {row: verdict}
                if verdict.reason == _STAYS
                else _in_step(found[slot], populations[slot], births[slot], verdict)
                for slot, verdict in ways.items()
            }
        for slot, judgements in changed.items():
            found[slot] = worst_of(holding, populations[slot], {**found[slot].by_type, **judgements})
    return found


def _still_for(counted: History) -> int:
    """Last runs in which there were no more of a type, 0 where that is not known of these alone."""
    window = standstill_of(counted)
    # A census of fewer than are there was not taken of these.
    return window if window and (counted.counts[-1] or 0) >= counted.total else 0


def _stands_still(
    counted: History,
    window: int,
    row: int,
    births: Mapping[int, tuple[int, ...]],
    populations: Sequence[Sequence[Population]],
    found: Sequence[SlotJudgement],
) -> dict[int, Mapping[int, Judgement]]:
    """By slot, what is no longer undecided: for long there are no more of the type, wherever they lie."""
    begun = counted.runs - window
    text = f"no more of the type in the last {window} runs than {count_text(counted.counts[-1] or 0)}"
    still = Judgement(Verdict.BOUNDED, text, since_run=begun + 1, reason="stands_still")
    changed: dict[int, Mapping[int, Judgement]] = {}
    for slot, born in births.items():
        if found[slot].by_type[row].verdict is not Verdict.INCONCLUSIVE or any(born[:begun]):
            continue
        changed[slot] = {
            each.type_row: still
            for each in populations[slot]
            if found[slot].by_type[each.type_row].verdict is Verdict.INCONCLUSIVE
            and each.births
            and is_born_within(each.births, born)
        }
    return changed


def _parts_of_the_whole(
    row: int,
    births: Mapping[int, tuple[int, ...]],
    populations: Sequence[Sequence[Population]],
    found: Sequence[SlotJudgement],
) -> dict[int, Mapping[int, Judgement]]:
    """By slot, what is no worse than all of its type, which another slot holds and which stands still.

    The census speaks for the whole; a part whose births have no pace of their own goes with it.
    """
    whole = next(
        (
            found[slot].by_type[row]
            for slot in births
            if found[slot].by_type[row].verdict is Verdict.BOUNDED
            and any(each.is_whole for each in populations[slot] if each.type_row == row)
        ),
        None,
    )
    if whole is None:
        return {}
    return {
        slot: {row: whole}
        for slot, born in births.items()
        if found[slot].by_type[row].verdict in ACCUMULATING and not is_regular(born)
    }


def _ways(
    births: Mapping[int, tuple[int, ...]], entries: Sequence[Entries], *, loses: bool
) -> dict[int, Judgement]:
    """By slot, what changes when objects of one type pass from one slot to another and stay there.

    `loses`: some of the type have gone; then a pool that was filled just when what a ring keeps now began
    looks the same in few runs.
    """
    found: dict[int, Judgement] = {}
    for slot, born in births.items():
        until = runs_with_births(born)[-1]
        # A name whose list is made anew with each batch has let go of none that is in the new one.
        is_name = entries[slot].places > 0
        goes = entries[slot].gone and not is_name
        if goes or not ENOUGH_RUNS <= until < len(born) <= 2 * until:
            continue
        younger = [other for other, late in births.items() if not any(late[:until])]
        together = tuple(map(sum, zip(born, *(births[other] for other in younger), strict=True)))
        first = runs_with_births(together)[0]
        # The very first may lie in what was there before the runs: in a batch that was moved as a whole.
        if _FEW * (first - 1) > until or not is_regular(together[first - 1 :]) or not younger:
            continue
        is_sure = len(born) >= _SURE or not (loses or (is_name and len(born) < _ENOUGH_FOR_A_NAME))
        found[slot] = _stays(born, is_sure=is_sure)
        found |= dict.fromkeys(younger, _PASSES_ON)
    return found


def _somewhere(
    row: int,
    births: Mapping[int, tuple[int, ...]],
    whole: tuple[int, ...],
    entries: Sequence[Entries],
    found: Sequence[SlotJudgement],
) -> dict[int, Judgement]:
    """Each run left its share and nothing went: not all places let go. The fullest is told, if none is."""
    if any(found[slot].by_type[row].verdict in (Verdict.LEAK, Verdict.FILLING) for slot in births):
        return {}
    fullest = [
        slot
        for slot in births
        if not entries[slot].gone
        and not entries[slot].places
        and found[slot].by_type[row].reason != "visible_bound"
    ]
    if not fullest:
        return {}
    slot = max(fullest, key=lambda slot: (sum(births[slot]), -slot))
    judgement = judge(History(whole))
    if judgement.verdict is not Verdict.LEAK:
        return {}
    text = f"{judgement.evidence}, nothing of the type went, and most lie here"
    return {slot: replace(judgement, evidence=text, reason=_STAYS)}


def _in_several_slots(populations: Sequence[Sequence[Population]]) -> dict[int, dict[int, tuple[int, ...]]]:
    """By type the births in each slot that has some of it, of types in more than one."""
    found: dict[int, dict[int, tuple[int, ...]]] = {}
    for slot, held in enumerate(populations):
        for each in held:
            if each.births:
                found.setdefault(each.type_row, {})[slot] = each.births
    return {row: slots for row, slots in found.items() if len(slots) > 1}


def _stays(born: tuple[int, ...], *, is_sure: bool) -> Judgement:
    until = runs_with_births(born)[-1]
    since, rate, is_exact = steady_rate(born[:until])
    each = (
        f"{count_text(int(rate))} per run, every run" if is_exact else f"{rate_text(round(rate, 2))} per run"
    )
    text = f"{each} until run {until}; younger ones are on their way to it"
    if is_sure:
        return Judgement(Verdict.LEAK, text, rate=rate, since_run=since, reason=_STAYS)
    return replace(undecided(History(born), f"{text}, or it was filled then"), reason=_STAYS)


def _in_step(
    judgement: SlotJudgement, populations: Sequence[Population], born: tuple[int, ...], verdict: Judgement
) -> Mapping[int, Judgement]:
    """The same of all that was born with these and only then, and would go on growing."""
    return {
        each.type_row: replace(verdict, since_run=runs_with_births(born)[0])
        for each in populations
        if each.births
        and judgement.by_type[each.type_row].verdict in ACCUMULATING
        and is_born_within(each.births, born)
    }
