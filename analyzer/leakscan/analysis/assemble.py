"""Causes to leaks: with holder, verdict, sizes, cut and the lines that allocated them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import births_of
from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.causes.leaks import LeakGroup
from leakscan.analysis.cuts.cuts import CutSearch
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.graph.sizes import GroupSize, SizeLedger
from leakscan.analysis.judge.history import Judgement
from leakscan.analysis.judge.judged import JudgedSlot
from leakscan.analysis.judge.pace import is_regular
from leakscan.analysis.judge.ranks import ORDER, rank
from leakscan.analysis.judge.slot_noise import IMPORTS, SlotNoise, engine_noise
from leakscan.analysis.judge.slots import TypeHistory, judge_population
from leakscan.analysis.judge.waiting import OpenSockets
from leakscan.analysis.results.findings import Cut, Holder, Leak, Path, Verdict
from leakscan.analysis.slots.entries import Entries
from leakscan.analysis.slots.holder import place_of
from leakscan.analysis.slots.slot import Slot, SlotKind
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import NO_OBJECT
from leakscan.wording import count_text

_CONTENTS: Final = 20
_ENTRIES: Final = ("[*]", ".get(*)", ".has(*)", "{*}", ".*")
"""How a pattern ends that names all entries of its container."""
_SITES: Final = 10
_CUTS: Final = 20
"""Leaks that a smallest cut is searched for, the heaviest first."""


@dataclass(frozen=True)
class JudgeInputs:
    """What judging a cause needs besides it. `slots` are the judged slots by identity."""

    holding: Holding
    names: SlotNames
    types: TypeHistory
    slots: Mapping[tuple[int, int], JudgedSlot]
    sockets: OpenSockets
    extension_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """A leak, the cause it was made of, and how many runs would decide it (0: it is decided).

    `bytes_per_run` is what a single object grew by in each run, () for a leak of objects. `is_waiting`: only
    open sockets keep it.
    """

    leak: Leak
    group: LeakGroup | None
    number: int
    runs_needed: int
    bytes_per_run: tuple[int, ...] = ()
    is_waiting: bool = False


def assemble_leaks(
    inputs: JudgeInputs, groups: Sequence[LeakGroup], ledger: SizeLedger, cuts: CutSearch
) -> list[Judged]:
    """One leak for each cause, worst first, ties by name."""
    judged = [_judged(inputs, group, number, ledger.groups[number]) for number, group in enumerate(groups)]
    judged.sort(key=badness)
    wanted = [one for one in judged if one.leak.verdict in ORDER[:3] and not one.leak.noise][:_CUTS]
    with_cut = {one.number: cut_of_group(cuts, one.group) for one in wanted if one.group is not None}
    return [replace(one, leak=replace(one.leak, cut=with_cut.get(one.number))) for one in judged]


def cut_of_group(cuts: CutSearch, group: LeakGroup) -> Cut | None:
    """The smallest cut for what nothing else holds; what is in use counts in `of`."""
    known = [slot.pattern for slot in group.slots]
    free = group.heads[~np.isin(group.heads, group.in_use)]
    return cuts.cut_for(free if len(free) else group.heads, known=known, counted=group.heads)


def badness(one: Judged) -> tuple[int, int, bool, int, int, str, str]:
    """Worst first: the sort key of leaks."""
    leak = one.leak
    # Of what is undecided, an exact multiple of the runs is the most suspect.
    is_suspect = leak.every_run and leak.verdict is Verdict.INCONCLUSIVE
    return (
        rank(leak.verdict),
        -leak.filled_bytes if leak.verdict is Verdict.INCONCLUSIVE else 0,
        not is_suspect,
        -leak.exclusive_bytes,
        -leak.count,
        leak.type_name,
        leak.signature,
    )


def _judged(inputs: JudgeInputs, group: LeakGroup, number: int, size: GroupSize) -> Judged:
    holding = inputs.holding
    judged_slots = [inputs.slots[slot.identity] for slot in group.slots]
    births = births_of(group.births, holding.runs)
    judgement = _judgement(inputs, group, births, judged_slots)
    born = [run for run, count in enumerate(births, 1) if count]
    noise = _noise([slot.noise for slot in judged_slots])
    # A rule acquits what has stopped; what grows on is a leak, unless the library itself bounds it.
    if not noise.reason and holding.reach.graph.runtime == "v8":
        noise = SlotNoise(engine_noise(holding.reach.graph, group.objects))
    is_noise = bool(noise.reason) and (noise.is_bounded or judgement.verdict is not Verdict.LEAK)
    if noise.reason in IMPORTS and not is_noise and not is_regular(births):
        # A thread that imports for as long as the runs go on looks like this.
        judgement = replace(judgement, verdict=Verdict.INCONCLUSIVE, runs_needed=3 * holding.runs)
    if is_noise and judgement.verdict is Verdict.LEAK:
        judgement = replace(judgement, verdict=Verdict.BOUNDED, evidence=f"{noise.reason}: bounded by design")
    is_waiting = judgement.verdict is Verdict.LEAK and inputs.sockets.alone_hold(group.heads)
    if is_waiting:
        judgement = _waiting(judgement, inputs.sockets.count)
    holder = _holder(inputs, group.slots[0], judged_slots[0].entries)
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
        path=_with_entries(group.path, holder),
        also_held_by=group.also_held_by,
        holder=holder,
        cut=None,
        noise=noise.reason if is_noise else "",
        contents=_shown(size.contents),
        native_types=_native_types(inputs, group, size),
        sites=_sites(holding.reach.graph, group),
        name=group.name,
        slots=tuple(dict.fromkeys(slot.pattern for slot in group.slots)),
        in_use=len(group.in_use),
        in_use_by=group.in_use_by if len(group.in_use) else (),
    )
    return Judged(leak, group, number, judgement.runs_needed, is_waiting=is_waiting)


def _noise(of_slots: Sequence[SlotNoise]) -> SlotNoise:
    """Of the first slot; what lies at hand there is explained by what holds it as well."""
    return next((each for each in of_slots if not each.is_at_hand), of_slots[0])


def _judgement(
    inputs: JudgeInputs, group: LeakGroup, births: tuple[int, ...], slots: Sequence[JudgedSlot]
) -> Judgement:
    """What is said of the objects that the cause is named after, as bad as the worst of its slots."""
    graph = inputs.holding.reach.graph
    type_row = int(graph.type_ids[group.heads[0]])
    worst = min((slot.judgement.verdict for slot in slots), key=rank)
    told = [slot.judgement.by_type.get(type_row) for slot in slots]
    is_whole = any(each.is_whole for slot in slots for each in slot.populations if each.type_row == type_row)
    undated = len(group.heads) - sum(births)
    heads = Population(type_row, births, undated, is_whole)
    own = [judge_population(inputs.holding, inputs.types, slot.entries, heads) for slot in slots]
    others = [each for slot in slots for each in slot.judgement.by_type.values()]
    for candidates in (own, [each for each in told if each is not None], others):
        for found in candidates:
            if found.verdict is worst:
                return found
    return min(own, key=lambda judgement: rank(judgement.verdict))


def _holder(inputs: JudgeInputs, slot: Slot, entries: Entries) -> Holder | None:
    """The old object at which growth accumulates: how it is called, how much it grew, what bounds it."""
    if not len(slot.holders):
        return None
    graph, names = inputs.holding.reach.graph, inputs.names
    place = place_of(names, slot.holder, int(slot.refs[0]))
    file, line = (place.file, place.line) if place else ("", 0)
    if slot.kind is SlotKind.ENTRIES:
        is_one, ends = len(slot.holders) == 1, slot.pattern.endswith(_ENTRIES)
        label = names.holder_label(slot.holder)
        # A function that has its name in common with another one is written with its module.
        is_same = slot.pattern.startswith(label.partition(" ")[0])
        return Holder(
            label=label if is_one and ends and is_same else _without_entries(slot.pattern),
            type_name=graph.type_name(slot.holder),
            entries_before=entries.before,
            entries_after=entries.new if entries.after is None else entries.after,
            bound=entries.bound,
            file=file,
            line=line,
        )
    # The slot is one name: how many other attributes its owner has says nothing.
    owner, reach = slot.holder, inputs.holding.reach
    if reach.is_namespace[owner]:
        ref = int(reach.paths.parent_ref[owner])
        owner = owner if ref == NO_OBJECT else source_of(graph, ref)
    return Holder(slot.pattern, graph.type_name(owner), None, len(slot.refs), None, file, line)


def _without_entries(pattern: str) -> str:
    for ending in _ENTRIES:
        if pattern.endswith(ending):
            return pattern.removesuffix(ending)
    return pattern


def _waiting(judgement: Judgement, sockets: int) -> Judgement:
    held = (
        "1 socket that is still open"
        if sockets == 1
        else f"{count_text(sockets)} sockets that are still open"
    )
    evidence = f"{judgement.evidence}; only {held} keep it: it waits for an answer, or nobody closes them"
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, evidence=evidence)


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


def _native_types(inputs: JudgeInputs, group: LeakGroup, size: GroupSize) -> tuple[tuple[str, int], ...]:
    heads = (group.type_name, len(group.heads))
    found = [heads, *((name, count) for name, count, _ in size.contents)]
    return tuple((name, count) for name, count in found if name in inputs.extension_types)


def _shown(contents: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, int, int], ...]:
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
