"""The verdict on a slot: the worst of the populations that it keeps alive. A churning one acquits nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from leakscan.analysis.causes.holding import NUMBER, Holding, Population
from leakscan.analysis.dialects.slots_v8 import LISTED
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.holder_rules import judge_replaced
from leakscan.analysis.judge.pace import is_born_within
from leakscan.analysis.judge.ranks import ORDER, rank
from leakscan.analysis.judge.rules import judge, judge_growth, judge_undated
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.entries import Entries
from leakscan.analysis.slots.slot import SlotKind

ACCUMULATING: Final = frozenset(ORDER[:3])
"""What goes on growing, or may: such a slot must go; the others let go by themselves."""
_PART: Final = 0.1
"""What is undecided about a population matters when it is this part of a slot, or a class with a name."""


@dataclass(frozen=True)
class TypeHistory:
    """What was counted by type name while the runs went on; empty without a capture.

    `counts` after 0, 1, ... runs, `released` while work in flight settled, `lost` how many of those alive
    then are gone.
    """

    counts: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    released: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    runs_each: int = 0


@dataclass(frozen=True, slots=True)
class SlotJudgement:
    """`by_type` are the judgements of the populations, by row of the type table."""

    verdict: Verdict
    by_type: Mapping[int, Judgement]


def judge_slot(
    holding: Holding,
    types: TypeHistory,
    number: int,
    entries: Entries,
    populations: Sequence[Population],
) -> SlotJudgement:
    """The worst verdict of any population of slot `number`; undecided ones count when they matter."""
    by_type = {each.type_row: judge_population(holding, types, entries, each) for each in populations}
    by_type |= _in_step_with_the_entries(holding.reach.graph.type_names, entries, populations, by_type)
    by_type |= _in_step_with_the_links(holding, number, populations, by_type)
    if NUMBER not in entries.by_type and not holding.lists_numbers(number):
        by_type |= _numbers_in_fields(holding, by_type)
    return worst_of(holding, populations, by_type)


def worst_of(
    holding: Holding, populations: Sequence[Population], by_type: Mapping[int, Judgement]
) -> SlotJudgement:
    """The worst verdict of these; undecided ones count when they matter."""
    total = sum(each.count for each in populations)
    verdict = Verdict.CLEAN
    tiers = holding.reach.modules.type_tiers
    for each in populations:
        found = by_type[each.type_row].verdict
        if (
            found is Verdict.INCONCLUSIVE
            and each.count < _PART * total
            and tiers[each.type_row] > Tier.LIBRARY
        ):
            continue
        if rank(found) < rank(verdict):
            verdict = found
    return SlotJudgement(verdict, by_type)


def _numbers_in_fields(holding: Holding, by_type: Mapping[int, Judgement]) -> dict[int, Judgement]:
    """Numbers in the fields of objects: V8 makes one anew, as an object, with each change of a field.

    There are as many as there are fields, so they are no worse than the worst of what has the fields.
    """
    names = holding.reach.graph.type_names
    numbers = {row: one for row, one in by_type.items() if names[row] == NUMBER}
    others = [rank(one.verdict) for row, one in by_type.items() if row not in numbers]
    worst = min(others, default=rank(Verdict.BOUNDED))
    return {
        row: replace(one, verdict=Verdict.BOUNDED, evidence="numbers, each in a field that has room for one")
        for row, one in numbers.items()
        if rank(one.verdict) < min(worst, rank(Verdict.BOUNDED))
    }


def _in_step_with_the_entries(
    names: Sequence[str],
    entries: Entries,
    populations: Sequence[Population],
    by_type: Mapping[int, Judgement],
) -> dict[int, Judgement]:
    """What was born with the entries, and only then, goes with them: their census acquits it.

    Strings and plain objects are everywhere, so that no census of theirs says anything about one place.
    """
    if set(entries.by_type) & _RINGS:
        # What a handful of timers of Node's own hold, now and then made anew.
        ring = next((one for one in by_type.values() if one.verdict is Verdict.BOUNDED), None)
        few = [row for row, one in by_type.items() if one.reason == "too_few_events"]
        return dict.fromkeys(few, ring) if ring else {}
    leads = [each for each in populations if names[each.type_row] in entries.by_type]
    are_all = len(leads) == len(entries.by_type) and sum(entries.births) == entries.new
    are_whole = all(each.is_whole and each.births for each in leads)
    if not (leads and are_all and are_whole) or any(
        by_type[each.type_row].verdict is not Verdict.BOUNDED for each in leads
    ):
        return {}
    # What an entry had taken over from an older one would have been born before it.
    runs = [any(counts) for counts in zip(*(each.births for each in leads), strict=True)]
    return {
        each.type_row: by_type[leads[0].type_row]
        for each in populations
        if not each.undated
        and by_type[each.type_row].verdict in (Verdict.LEAK, Verdict.INCONCLUSIVE)
        and is_born_within(each.births, runs)
    }


def _in_step_with_the_links(
    holding: Holding, number: int, populations: Sequence[Population], by_type: Mapping[int, Judgement]
) -> dict[int, Judgement]:
    """What hangs on the links of a chain behind one name goes with them, when their number stands still."""
    slot, graph = holding.table.slots[number], holding.reach.graph
    if slot.kind is not SlotKind.NAME:
        return {}
    rows = set(graph.type_ids[graph.ref_targets[slot.refs]].tolist())
    links = [each for each in populations if each.type_row in rows and each.is_whole and each.births]
    if not links or any(by_type[each.type_row].reason != "replaced" for each in links):
        return {}
    runs = [any(counts) for counts in zip(*(each.births for each in links), strict=True)]
    return {
        each.type_row: by_type[links[0].type_row]
        for each in populations
        if by_type[each.type_row].verdict is Verdict.INCONCLUSIVE
        and each.births
        and not each.undated
        and is_born_within(each.births, runs)
    }


def judge_population(
    holding: Holding, types: TypeHistory, entries: Entries, population: Population
) -> Judgement:
    """The verdict on the new objects of one type that one slot keeps alive."""
    graph = holding.reach.graph
    name = graph.type_names[population.type_row]
    counts = tuple(types.counts.get(name, ())) if population.is_whole else ()
    before, after, new = entries.by_type.get(name, (entries.before, entries.after, entries.new))
    if not population.births:
        if graph.has_births:
            # What has no birth takes it from the census, where the census is of nothing else.
            found = judge_undated(population.count, counts) if counts else _UNDATED
            has_place = population.count <= entries.places
            return _IN_ITS_PLACE if has_place and found.verdict in ACCUMULATING else found
        replaced = judge_replaced(before, after)
        return replaced or judge_growth(types.before.get(name, 0), types.after.get(name, 0))
    if not any(population.births[:-1]) and (replaced := _in_the_place_of_an_older(types, name, population)):
        return replaced
    return judge(
        History(
            births=population.births,
            counts=counts,
            entries_before=before,
            entries_after=after,
            entries_new=new,
            entries_gone=max(0, (before or 0) - max(0, (after or 0) - new)),
            entry_births=entries.births,
            lost=types.lost.get(name, ()),
            places=entries.places,
            bound=entries.bound,
            bound_is_enforced=entries.bound_is_enforced,
            released=types.released.get(name, 0) if population.is_whole else 0,
            released_anywhere=types.released.get(name, 0),
            runs_each=types.runs_each,
        )
    )


_RINGS: Final = frozenset(listed[0] for listed in LISTED.values())
_UNDATED: Final = Judgement(
    Verdict.WARM_UP, "when these were made is not known, and their type did not go on growing"
)
_IN_ITS_PLACE: Final = Judgement(Verdict.BOUNDED, "as many as there are places for one")


def _in_the_place_of_an_older(types: TypeHistory, name: str, population: Population) -> Judgement | None:
    """What the last run left in place of what an earlier one had left: the wait of a worker, say."""
    before = types.before.get(name, 0)
    if before < types.after.get(name, 0) or before < population.count:
        return None
    return Judgement(
        Verdict.CLEAN,
        f"takes the place of an older one: there were {before} before the runs, and no more after",
    )


def lost_by_type(
    counts: Mapping[str, Sequence[int | None]],
    births: Mapping[str, tuple[int, ...]],
    after: Mapping[str, int],
) -> dict[str, tuple[int | None, ...]]:
    """How many objects of each type were alive after 0, 1, ... runs and are not alive now.

    `births` are those of all new objects of the type by run, `after` how many there are in the last snapshot.
    What is alive now and was born by then was alive then: the rest of the count is gone since.
    """
    found: dict[str, tuple[int | None, ...]] = {}
    for name, born in births.items():
        series = counts.get(name, ())
        if len(series) != len(born) + 1:
            continue
        there = after.get(name, 0) - sum(born) + np.concatenate(([0], np.cumsum(born)))
        found[name] = tuple(
            None if count is None else max(0, count - int(still))
            for count, still in zip(series, there, strict=True)
        )
    return found
