"""What keeps what alive between two snapshots: slots judged, causes found and written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from leakscan.analysis.assemble import Judged
from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.births.survivors import Survivors
from leakscan.analysis.causes.causes import Cause, find_causes
from leakscan.analysis.causes.clusters import Clusters, find_clusters
from leakscan.analysis.causes.endings import BOOKKEEPING
from leakscan.analysis.causes.holding import Holding, find_holding
from leakscan.analysis.causes.keys import without_keys
from leakscan.analysis.causes.leaks import LeakGroup, Limits, merged, write_cause
from leakscan.analysis.causes.naming import heads_of
from leakscan.analysis.cuts.cuts import CutSlot
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.judge.growth import births_by_type
from leakscan.analysis.judge.judged import JudgedSlot, judge_slots, slot_facts
from leakscan.analysis.judge.ranks import rank
from leakscan.analysis.judge.slots import ACCUMULATING, TypeHistory, lost_by_type
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.holder import place_of
from leakscan.analysis.slots.reach import Reach, new_graph
from leakscan.analysis.slots.slot import Slot, SlotKind, lying_in
from leakscan.analysis.slots.slots import find_slots
from leakscan.analysis.type_filter import survivors_of_type
from leakscan.heap.census import TypeCensus, census, row_names
from leakscan.heap.graph import U32, HeapGraph
from leakscan.wording import count_text

_FEWEST_TRACED: Final = 40
_MOST_TRACED: Final = 400
_NEW_WALKED: Final = 40_000_000


@dataclass(frozen=True)
class Retention:
    """What keeps what alive, judged slot by slot."""

    holding: Holding
    types: TypeHistory
    judged: tuple[JudgedSlot, ...]
    causes: tuple[Cause, ...]


def type_history(
    before: TypeCensus,
    after: HeapGraph,
    survivors: Survivors,
    *,
    runs: int,
    type_counts: Mapping[str, Sequence[int | None]] | None = None,
    released: Mapping[str, int] | None = None,
    runs_each: int = 0,
) -> TypeHistory:
    """What both snapshots and the counts between them say of each type."""
    type_counts = type_counts or {}
    later = {name: count for name, (count, _) in census(after).items()}
    return TypeHistory(
        counts=type_counts,
        released=released or {},
        lost=lost_by_type(type_counts, births_by_type(after, survivors, runs), later),
        before={name: count for name, (count, _) in before.items()},
        after=later,
        runs_each=runs_each,
    )


def find_retention(
    types: TypeHistory, before: HeapGraph, reach: Reach, names: SlotNames, *, runs: int
) -> Retention:
    """Slots, sets, judgements and causes of the new objects of `reach`."""
    earlier, new = Earlier(before, reach.graph), new_graph(reach)
    table = find_slots(earlier, reach, new, names)
    holding = find_holding(reach, new, table, runs=runs)
    judged = judge_slots(earlier, holding, names, types)
    return Retention(holding, types, tuple(judged), tuple(find_causes(holding, slot_facts(judged))))


def write_causes(
    retention: Retention, limits: Limits, type_filter: str | None
) -> tuple[list[LeakGroup], list[str], int]:
    """(the causes written down, the worst first; what is left out; survivors that nothing acquits).

    The last are those whose slots were not told apart, or go on growing while no path could be written.
    """
    holding = retention.holding
    reach, new = holding.reach, holding.new
    clusters = find_clusters(reach, new, holding.csr, _starts(retention))
    asked = None if type_filter is None else new.local[survivors_of_type(reach, type_filter)]
    found = _worst_first(retention, asked)
    most = limits.leaks or causes_traced(len(new.objects) + len(new.refs))
    groups, unwritten, unacquitted = [], 0, len(holding.untold)
    for cause, worst in found[:most]:
        heads = cause.objects
        if asked is None:
            heads = without_keys(holding, cause, _heads_of(retention, clusters, cause, worst))
        group = write_cause(holding, cause, heads, limit=limits.paths)
        if group is None and len(led := _led_to(holding, cause)):
            # What goes with another object is not reached by a path; what it goes with is.
            heads = _heads_of(retention, clusters, replace(cause, objects=led, core=led), worst)
            group = write_cause(holding, cause, heads, limit=limits.paths)
        if group is None:
            unwritten += len(cause.objects)
            unacquitted += len(cause.objects) * (worst in ACCUMULATING)
        else:
            groups.append(group)
    untraced = [cause for cause, _ in found[most:]]
    return merged(groups), _left_out(untraced, unwritten, len(holding.untold)), unacquitted


def _worst_first(retention: Retention, asked: U32 | None) -> list[tuple[Cause, Verdict]]:
    """The causes, of the objects `asked` only, with the worst verdict of their slots."""
    verdicts = [one.judgement.verdict for one in retention.judged]
    found = []
    for cause in retention.causes:
        objects = cause.objects if asked is None else np.intersect1d(cause.objects, asked)
        if len(objects):
            worst = min((verdicts[slot] for slot in cause.slots), key=rank)
            found.append((replace(cause, objects=objects), worst))
    found.sort(key=lambda row: (rank(row[1]), -row[0].weight))
    return found


def _heads_of(retention: Retention, clusters: Clusters, cause: Cause, worst: Verdict) -> U32:
    """The objects that the cause is named after, of the types that are as bad as the cause."""
    is_worst: dict[int, bool] = {}
    for slot in cause.slots:
        for row, one in retention.judged[slot].judgement.by_type.items():
            is_worst[row] = is_worst.get(row, False) or one.verdict is worst
    holding = retention.holding
    run_count = retention.types.runs_each * holding.runs
    return heads_of(holding.reach, clusters, cause.objects, cause.core, is_worst, run_count=run_count)


def _led_to(holding: Holding, cause: Cause) -> U32:
    """Those of its objects that references lead to from its slots."""
    if holding.csr is holding.new.csr:
        return cause.objects[:0]
    starts = lying_in(holding.table, np.isin(np.arange(len(holding.table)), cause.slots).tolist())
    reached = kernels.reachable(holding.new.csr, roots=starts)
    return cause.objects[reached[cause.objects]]


def _left_out(untraced: Sequence[Cause], unwritten: int, untold: int) -> list[str]:
    omitted = []
    if untraced:
        count = sum(len(cause.objects) for cause in untraced)
        omitted.append(
            f"{count_text(len(untraced))} lighter causes with {count_text(count)} survivors were not traced: "
            "--type shows those of a type"
        )
    if unwritten:
        omitted.append(f"{count_text(unwritten)} survivors lie where no path could be written")
    if untold:
        omitted.append(
            f"{count_text(untold)} survivors are held in more combinations of places than are told apart"
        )
    return omitted


def _starts(retention: Retention) -> U32:
    """What lies in the slots that go on growing, and are not kept aside."""
    table = retention.holding.table
    facts = slot_facts(retention.judged)
    found = lying_in(
        table,
        [
            grows and not aside and not slot.is_last_resort and slot.pattern not in BOOKKEEPING
            for slot, grows, aside in zip(table.slots, facts.accumulates, facts.is_aside, strict=True)
        ],
    )
    return found if len(found) else retention.holding.new.entries


def causes_traced(walk: int) -> int:
    """How many causes are written down when each is a search through so many new objects and references."""
    return max(_FEWEST_TRACED, min(_MOST_TRACED, _NEW_WALKED // max(1, walk)))


def cut_slots(retention: Retention, names: SlotNames) -> list[CutSlot]:
    """Every slot as something to cut."""
    return [
        CutSlot(
            one.slot.pattern,
            one.slot.refs,
            _root_rows(retention, one.slot),
            place_of(names, one.slot.holder, int(one.slot.refs[0])) if len(one.slot.refs) else None,
        )
        for one in retention.judged
        if one.slot.kind is not SlotKind.ROOT
    ]


def _root_rows(retention: Retention, slot: Slot) -> U32:
    """Rows of the snapshot's own table of roots: what is held from C has none there."""
    return slot.rows[slot.rows < len(retention.holding.reach.graph.roots)]


def verdicts_by_type(retention: Retention, judged: Sequence[Judged]) -> dict[str, Verdict]:
    """The verdict on each type: the worst of its populations, none worse than the leak it is told with."""
    graph = retention.holding.reach.graph
    judged_slots = {one.slot.identity: one for one in retention.judged}
    found: dict[str, Verdict] = {}
    names = row_names(graph)
    for one in judged:
        if one.group is None:
            continue
        limit = one.leak.verdict if not one.leak.noise else Verdict.BOUNDED
        for row in distinct(graph.type_ids[one.group.objects]).tolist():
            told_of = [judged_slots[slot.identity].judgement.by_type.get(row) for slot in one.group.slots]
            verdicts = [each.verdict for each in told_of if each is not None] or [limit]
            verdict = max(min(verdicts, key=rank), limit, key=rank)
            found[names[row]] = min(found.get(names[row], Verdict.CLEAN), verdict, key=rank)
    return found
