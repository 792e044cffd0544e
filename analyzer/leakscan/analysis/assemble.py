"""Groups of survivors to leaks: with holder, verdict, sizes, cut and the lines that allocated them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from leakscan.analysis.causes.groups import ANY_LABEL, LeakGroup
from leakscan.analysis.cuts.cuts import CutSearch
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.refs import distinct, source_of
from leakscan.analysis.graph.sizes import GroupSize, SizeLedger
from leakscan.analysis.judge.growth import births_of
from leakscan.analysis.judge.verdict import (
    History,
    Judgement,
    judge,
    judge_growth,
    judge_replaced,
    judge_undated,
)
from leakscan.analysis.judge.waiting import OpenSockets
from leakscan.analysis.results.findings import Cut, Holder, Leak, Path, Verdict
from leakscan.analysis.slots.holder import HolderFacts, count_entries, find_holder, same_object
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_OWN, NO_OBJECT, ObjectFlag
from leakscan.wording import count_text

ORDER: Final = (
    Verdict.LEAK,
    Verdict.INCONCLUSIVE,
    Verdict.BOUNDED,
    Verdict.WARM_UP,
    Verdict.GARBAGE,
    Verdict.CLEAN,
)
"""Worst first."""
_CONTENTS: Final = 20
_SLOTS_LOOKED_AT: Final = 8
_KEPT: Final = 0.9
"""Growth of a container over what is new in it, at least: it lets go of nothing."""
_SITES: Final = 10
_CUTS: Final = 20
"""Leaks that a smallest cut is searched for, the heaviest first."""


@dataclass(frozen=True)
class Assembly:
    """What judging needs besides the groups. `counts` and `released` are by full type name."""

    before: HeapGraph
    reach: Reach
    names: SlotNames
    counts: Mapping[str, Sequence[int | None]]
    released: Mapping[str, int]
    runs: int
    runs_each: int = 0
    sockets: OpenSockets | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A leak, the group it was made of, and how many runs would decide it (0: it is decided).

    `bytes_per_run` is what a single object grew by in each run, () for a leak of objects. `is_waiting`: only
    open sockets keep it.
    """

    leak: Leak
    group: LeakGroup
    number: int
    runs_needed: int
    bytes_per_run: tuple[int, ...] = ()
    is_waiting: bool = False


def assemble_leaks(
    assembly: Assembly, groups: Sequence[LeakGroup], ledger: SizeLedger, cuts: CutSearch
) -> list[Judged]:
    """One leak for each group, worst first, ties by name."""
    judged = [_judged(assembly, group, number, ledger.groups[number]) for number, group in enumerate(groups)]
    judged.sort(key=_badness)
    cut_wanted = [one for one in judged if one.leak.verdict in ORDER[:2] and not one.leak.noise][:_CUTS]
    with_cut = {
        one.number: cuts.cut_for(one.group.heads, known=[slot.pattern for slot in one.group.slots])
        for one in cut_wanted
    }
    return [replace(one, leak=_with_cut(one.leak, with_cut.get(one.number))) for one in judged]


def _badness(one: Judged) -> tuple[int, bool, int, int, str, str]:
    leak = one.leak
    # Of what is undecided, an exact multiple of the runs is the most suspect.
    is_suspect = leak.every_run and leak.verdict is Verdict.INCONCLUSIVE
    return (
        ORDER.index(leak.verdict),
        not is_suspect,
        -leak.exclusive_bytes,
        -leak.count,
        leak.type_name,
        leak.signature,
    )


def _with_cut(leak: Leak, cut: Cut | None) -> Leak:
    return replace(leak, cut=cut)


def _judged(assembly: Assembly, group: LeakGroup, number: int, size: GroupSize) -> Judged:
    facts = _holder(assembly, group)
    births = births_of(group.births, assembly.runs)
    judgement = _judgement(assembly, group, births, facts)
    born = [run for run, count in enumerate(births, 1) if count]
    # A rule acquits what has stopped; what grows on is a leak, unless the library itself bounds it.
    is_noise = group.noise and (group.noise_is_bounded or judgement.verdict is not Verdict.LEAK)
    if is_noise and judgement.verdict is Verdict.LEAK:
        judgement = replace(judgement, verdict=Verdict.BOUNDED, evidence=f"{group.noise}: bounded by design")
    sockets = assembly.sockets
    is_waiting = judgement.verdict is Verdict.LEAK and sockets is not None and sockets.alone_hold(group.heads)
    if is_waiting and sockets is not None:
        judgement = _waiting(judgement, sockets.count)
    leak = Leak(
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
        path=_with_entries(group.path, facts.holder if facts else None),
        also_held_by=group.also_held_by,
        holder=facts.holder if facts else None,
        cut=None,
        noise=group.noise if is_noise else "",
        contents=_contents(size.contents),
        sites=_sites(assembly.reach.graph, group),
        name=group.name,
    )
    return Judged(leak, group, number, judgement.runs_needed, is_waiting=is_waiting)


def _waiting(judgement: Judgement, sockets: int) -> Judgement:
    held = (
        "1 socket that is still open"
        if sockets == 1
        else f"{count_text(sockets)} sockets that are still open"
    )
    evidence = f"{judgement.evidence}; only {held} keep it: it waits for an answer, or nobody closes them"
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, evidence=evidence)


def _judgement(
    assembly: Assembly, group: LeakGroup, births: tuple[int, ...], facts: HolderFacts | None
) -> Judgement:
    if not births and assembly.reach.graph.has_births:
        return judge_undated(len(group.heads), tuple(assembly.counts.get(group.type_name, ())))
    holder = facts.holder if facts else None
    if not births:
        replaced = holder and judge_replaced(holder.entries_before, holder.entries_after)
        if replaced:
            return replaced
        row = int(assembly.reach.graph.type_ids[group.heads[0]])
        name = assembly.reach.graph.type_names[row]
        return judge_growth(_count(assembly.before, name), _count(assembly.reach.graph, name))
    if not any(births[:-1]) and (replaced := _replacement(assembly, group)):
        return replaced
    if (kept := _accumulated(assembly, group)) is not None:
        return judge(replace(kept, counts=tuple(assembly.counts.get(group.type_name, ()))))
    return judge(
        History(
            births=births,
            counts=tuple(assembly.counts.get(group.type_name, ())),
            entries_before=holder.entries_before if holder else None,
            # Without entries before, the holder is no container but a slot with one name.
            entries_after=holder.entries_after if holder and holder.entries_before is not None else None,
            entries_new=facts.entries_new if facts else 0,
            bound=holder.bound if holder else None,
            bound_is_enforced=facts.bound_is_enforced if facts else False,
            released=assembly.released.get(group.type_name, 0),
            runs_each=assembly.runs_each,
        )
    )


def _accumulated(assembly: Assembly, group: LeakGroup) -> History | None:
    """What a container of the group took in and kept, when that is more than the group.

    The youngest objects of a list may lie in a full cache as well, and are then told of there: the list alone
    seems to have stopped, and the cache to replace its entries. None where no container says more.
    """
    reach = assembly.reach
    graph, found = reach.graph, None
    for slot in group.slots[:_SLOTS_LOOKED_AT]:
        if slot.label != ANY_LABEL:
            continue
        start, end = np.searchsorted(reach.frontier_sources, [slot.holder, slot.holder + 1])
        inside = distinct(graph.ref_targets[reach.frontier[start:end]])
        own = distinct(graph.ref_targets[slot.refs])
        inside = inside[np.isin(graph.type_ids[inside], graph.type_ids[own])]
        if len(inside) <= len(group.heads) or not np.isin(own, group.heads).all():
            continue
        earlier = same_object(assembly.before, graph, slot.holder)
        before = None if earlier is None else count_entries(assembly.before, earlier)
        after = count_entries(graph, slot.holder)
        births = births_of(reach.survivors.births_of(inside), assembly.runs)
        is_kept = before is not None and after is not None and after - before >= _KEPT * len(inside)
        if is_kept and births and (found is None or sum(births) > found.total):
            found = History(births, (), before, after, len(inside), runs_each=assembly.runs_each)
    return found


def _replacement(assembly: Assembly, group: LeakGroup) -> Judgement | None:
    """What the last run left in place of what an earlier one had left: the wait of a worker, say."""
    before = _count(assembly.before, group.type_name)
    if before < _count(assembly.reach.graph, group.type_name) or before < len(group.heads):
        return None
    text = (
        f"takes the place of an older one: there were {count_text(before)} before the runs, and no more after"
    )
    return Judgement(Verdict.CLEAN, text)


def _count(graph: HeapGraph, type_name: str) -> int:
    is_named = np.array([name == type_name for name in graph.type_names], np.bool_)
    chosen = np.flatnonzero(is_named[graph.type_ids])
    is_own = (graph.flags[chosen] & np.uint8(ObjectFlag.OWN)) != 0
    return int((~is_own & (graph.births[chosen] != BIRTH_OWN)).sum())


def _holder(assembly: Assembly, group: LeakGroup) -> HolderFacts | None:
    is_rooted = group.path.root_kind != "module" and group.path.steps[0].is_new
    if not group.slots or is_rooted:
        return None
    slot, names = group.slots[0], assembly.names
    facts = find_holder(
        assembly.before, names, slot.holder, new_entries=len(slot.refs), ref=int(slot.refs[0])
    )
    if slot.label == ANY_LABEL:
        return facts
    # The slot is one name: how many other attributes its owner has says nothing.
    owner = slot.holder
    if assembly.reach.is_namespace[owner]:
        ref = int(assembly.reach.paths.parent_ref[owner])
        owner = owner if ref == NO_OBJECT else source_of(assembly.reach.graph, ref)
    holder = replace(
        facts.holder,
        label=slot.pattern,
        type_name=assembly.reach.graph.type_name(owner),
        entries_before=None,
        entries_after=len(slot.refs),
    )
    return replace(facts, holder=holder)


def _with_entries(path: Path, holder: Holder | None) -> Path:
    """Says at the holder's step how much it grew: `0 -> 20 entries`."""
    if holder is None or holder.entries_before is None:
        return path
    bound = f" of {count_text(holder.bound)}" if holder.bound else ""
    grew = f"{count_text(holder.entries_before)} -> {count_text(holder.entries_after)}{bound} entries"
    return replace(
        path,
        steps=tuple(
            replace(step, note=f"{step.note}; {grew}" if step.note.startswith("weak") else grew)
            if step.is_holder
            else step
            for step in path.steps
        ),
    )


def _contents(contents: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, int, int], ...]:
    shown, rest = contents[:_CONTENTS], contents[_CONTENTS:]
    if not rest:
        return shown
    other = (f"{len(rest)} other types", sum(row[1] for row in rest), sum(row[2] for row in rest))
    return (*shown, other)


def _sites(graph: HeapGraph, group: LeakGroup) -> tuple[tuple[str, int, str, int], ...]:
    if not len(graph.site_files):
        return ()
    counts = Counter(graph.sites[group.heads].tolist())
    counts.pop(0, None)
    rows = [
        (
            graph.strings[int(graph.site_files[site - 1])],
            int(graph.site_lines[site - 1]),
            graph.strings[int(graph.site_functions[site - 1])],
            count,
        )
        for site, count in counts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row[3], row))[:_SITES])
