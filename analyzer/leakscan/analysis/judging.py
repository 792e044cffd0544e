"""Groups of survivors made into leaks: verdict, holder, sizes and cut of each, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leakscan.analysis.cuts import CutSearch, CutSlot, prepare_cuts
from leakscan.analysis.findings import Cut, Leak, Projection, Verdict
from leakscan.analysis.garbage import Liveness
from leakscan.analysis.groups import LeakGroup
from leakscan.analysis.holder import HolderFacts, find_holder, place_of
from leakscan.analysis.projection import project
from leakscan.analysis.region import Bools, Region, find_region
from leakscan.analysis.sizes import GroupSize, SizeLedger, measure_groups
from leakscan.analysis.slotnames import SlotNames
from leakscan.analysis.verdict import History, Judgement, judge, judge_growth
from leakscan.heap.graph import U16, HeapGraph

_WORTH_A_CUT = (Verdict.LEAK, Verdict.INCONCLUSIVE, Verdict.BOUNDED)


@dataclass(frozen=True)
class Measured:
    """What was counted around the runs. `counts` is the census by type name after 0, 1, ... runs;
    `released` how many objects of a type went while the last run's work settled."""

    runs: int
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    released: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """`leaks` in the order of their groups; `cut` frees all of those that are leaks. `runs_needed` is
    the number of runs that would decide what is undecided, 0 when nothing is."""

    leaks: tuple[Leak, ...]
    cut: Cut | None
    projections: tuple[Projection, ...]
    runs_needed: int
    ledger: SizeLedger


def judge_groups(
    groups: Sequence[LeakGroup],
    *,
    before: HeapGraph | None,
    after: HeapGraph,
    life: Liveness,
    is_new: Bools,
    names: SlotNames,
    measured: Measured,
) -> Judged:
    """The leaks that these groups of survivors are. Groups with `noise` are judged, but not cut."""
    region = find_region(after, life, is_new)
    ledger = measure_groups(region, [group.heads for group in groups])
    search = prepare_cuts(region, names, slots=_cut_slots(names, groups))
    leaks: list[Leak] = []
    runs_needed = 0
    for group, size in zip(groups, ledger.groups, strict=True):
        facts = _holder_of(before, names, group)
        judgement = _judge(group, facts, before, after, measured)
        cut = None
        if judgement.verdict in _WORTH_A_CUT and not group.noise:
            cut = search.cut_for(group.heads)
            runs_needed = max(runs_needed, judgement.runs_needed)
        leaks.append(_leak(group, size, facts, judgement, cut, after, measured.runs))
    return Judged(
        tuple(leaks),
        _cut_of_all(search, groups, leaks),
        _projections(region, ledger, leaks, measured.runs),
        runs_needed,
        ledger,
    )


def births_by_run(births: U16, runs: int) -> tuple[int, ...]:
    """How many were born in each run 1..runs; () when no birth is known."""
    if not births.any():
        return ()
    return tuple(np.bincount(births, minlength=runs + 1)[1 : runs + 1].tolist())


def _judge(
    group: LeakGroup,
    facts: HolderFacts | None,
    before: HeapGraph | None,
    after: HeapGraph,
    measured: Measured,
) -> Judgement:
    births = births_by_run(group.births, measured.runs)
    if not births:
        count = len(group.heads)
        earlier = facts.holder.entries_before if facts else None
        later = facts.holder.entries_after if facts else count
        return judge_growth(0, count) if earlier is None else judge_growth(earlier, max(earlier, later))
    holder = facts.holder if facts else None
    return judge(
        History(
            births=births,
            counts=measured.counts.get(group.type_name, ()),
            entries_before=holder.entries_before if holder else None,
            entries_after=holder.entries_after if holder else None,
            entries_new=facts.entries_new if facts else 0,
            bound=holder.bound if holder else None,
            bound_is_enforced=facts.bound_is_enforced if facts else False,
            released=measured.released.get(group.type_name, 0),
        )
    )


def _holder_of(before: HeapGraph | None, names: SlotNames, group: LeakGroup) -> HolderFacts | None:
    if not group.slots:
        return None
    slot = group.slots[0]
    return find_holder(
        before, names, slot.holder, new_entries=len(slot.refs) if len(slot.holders) == 1 else 1
    )


def _leak(
    group: LeakGroup,
    size: GroupSize,
    facts: HolderFacts | None,
    judgement: Judgement,
    cut: Cut | None,
    after: HeapGraph,
    runs: int,
) -> Leak:
    births = births_by_run(group.births, runs)
    born = [run for run, count in enumerate(births, 1) if count]
    return Leak(
        signature=group.signature,
        type_name=group.type_name,
        count=len(group.heads),
        exclusive_bytes=size.exclusive_bytes,
        shared_bytes=size.shared_bytes,
        verdict=judgement.verdict,
        evidence=judgement.evidence,
        rate=judgement.rate,
        every_run=judgement.every_run,
        first_run=born[0] if born else 0,
        last_run=born[-1] if born else 0,
        births=births,
        path=group.path,
        also_held_by=group.also_held_by,
        holder=facts.holder if facts else None,
        cut=cut,
        noise=group.noise,
        name=group.name,
        contents=size.contents,
        sites=_sites(after, group),
    )


def _sites(graph: HeapGraph, group: LeakGroup) -> tuple[tuple[str, int, str, int], ...]:
    """Where the survivors were allocated, most frequent first; () without `--sites`."""
    rows, counts = np.unique(graph.sites[group.heads], return_counts=True)
    found = [
        (
            graph.strings[int(graph.site_files[row - 1])],
            int(graph.site_lines[row - 1]),
            graph.strings[int(graph.site_functions[row - 1])],
            count,
        )
        for row, count in zip(rows.tolist(), counts.tolist(), strict=True)
        if row
    ]
    return tuple(sorted(found, key=lambda site: (-site[3], *site[:3])))


def _cut_slots(names: SlotNames, groups: Sequence[LeakGroup]) -> list[CutSlot]:
    slots: dict[str, CutSlot] = {}
    for slot in (slot for group in groups for slot in group.slots):
        known = slots.get(slot.pattern)
        refs = slot.refs if known is None else np.union1d(known.refs, slot.refs)
        place = place_of(names, slot.holder) if known is None else known.location
        slots[slot.pattern] = CutSlot(slot.pattern, refs, location=place)
    return list(slots.values())


def _cut_of_all(search: CutSearch, groups: Sequence[LeakGroup], leaks: Sequence[Leak]) -> Cut | None:
    heads = [
        group.heads
        for group, leak in zip(groups, leaks, strict=True)
        if leak.verdict is Verdict.LEAK and not group.noise
    ]
    return search.cut_for(np.unique(np.concatenate(heads))) if heads else None


def _projections(
    region: Region, ledger: SizeLedger, leaks: Sequence[Leak], runs: int
) -> tuple[Projection, ...]:
    """From the bytes that each run left in the leaks, since the first run of any of them."""
    leaking = [number for number, leak in enumerate(leaks) if leak.verdict is Verdict.LEAK and not leak.noise]
    if not leaking or runs < 2:
        return ()
    chosen = np.isin(ledger.owner, np.array(leaking, np.uint32))
    births = region.graph.births[region.objects[chosen]].astype(np.int64)
    dated = (births > 0) & (births <= runs)
    sizes = np.zeros(runs + 1, np.int64)
    np.add.at(sizes, births[dated], region.sizes[chosen][dated].astype(np.int64))
    counts = np.bincount(births[dated], minlength=runs + 1)
    born = np.flatnonzero(counts[1:])
    since = int(born[0]) + 1 if len(born) else runs + 1
    # A leak of one in five runs is silent for up to four before its first: they belong to the rate.
    gap = int(np.diff(born).max()) if len(born) > 1 else 1
    since = 1 if since <= gap else since
    return project(sizes[since:].tolist(), counts[since:].tolist())
