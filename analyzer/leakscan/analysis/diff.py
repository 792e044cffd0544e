"""Two snapshots of one process to the whole answer: `diff(before, after, ...) -> Findings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from leakscan.analysis.assemble import Judged, JudgeInputs, assemble_leaks
from leakscan.analysis.at_limit import AGAIN, with_what_filled
from leakscan.analysis.births.baseline import since
from leakscan.analysis.births.plumbing import without_plumbing
from leakscan.analysis.births.reclaimed import reclaimed
from leakscan.analysis.births.survivors import Mask, Survivors, find_survivors
from leakscan.analysis.causes.leaks import LeakGroup, Limits
from leakscan.analysis.cuts.cuts import CutSearch, prepare_cuts
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.extensions import extension_types
from leakscan.analysis.graph.garbage import find_cycles, find_garbage, liveness
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import distinct, with_one_row_for_each_name
from leakscan.analysis.graph.region import Region, find_region
from leakscan.analysis.graph.sizes import SizeLedger, measure_groups
from leakscan.analysis.growing_object import GrowingObject, find_growing_objects
from leakscan.analysis.headline import headline, next_command
from leakscan.analysis.judge.growth import growth_rows
from leakscan.analysis.judge.projection import by_process, project
from leakscan.analysis.judge.ranks import ORDER
from leakscan.analysis.judge.waiting import find_open_sockets
from leakscan.analysis.ledger.ledger import beyond_the_heap
from leakscan.analysis.ledger.native_owner import with_native_owner
from leakscan.analysis.lines.sourcelines import ReadSource
from leakscan.analysis.numbering import numbered
from leakscan.analysis.results.findings import Cut, Findings, Growth, Projection, RunFigures, Verdict
from leakscan.analysis.results.memory import MemoryLedger
from leakscan.analysis.retention import (
    cut_slots,
    find_retention,
    type_history,
    verdicts_by_type,
    write_causes,
)
from leakscan.analysis.slots.reach import Reach, explore
from leakscan.analysis.stuck.find import find_waits
from leakscan.analysis.stuck.groups import Waits
from leakscan.analysis.stuck.in_leaks import accused, stuck_survivors
from leakscan.analysis.type_filter import is_named
from leakscan.analysis.units import in_units
from leakscan.analysis.works import told_works, with_works, works_between
from leakscan.heap.census import census
from leakscan.heap.graph import HeapGraph
from leakscan.wording import count_text, size_text

_NOISE_LISTED: Final = 40
_MEASURED: Final = (Verdict.LEAK, Verdict.INCONCLUSIVE, Verdict.BOUNDED)
"""Verdicts of types whose retained bytes a reader expects to see."""
_GARBAGE_PER_RUN: Final = 200
"""With fewer objects that only the collector frees, there is nothing to say: every exception makes some."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted while the runs went on; empty for two bare snapshots.

    `type_counts` maps a type's full name to its counts after 0, 1, ... runs (None: not counted),
    `type_bytes` to its bytes, `released` to how many went away while work in flight settled after the
    last run. `collected` objects were freed by the collector only; those of
    the last run took `collected_bytes`, 0 when nobody weighed them. `warnings` are about the capture.
    """

    per_run: tuple[RunFigures, ...] = ()
    type_counts: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    type_bytes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    released: Mapping[str, int] = field(default_factory=dict)
    collected: int = 0
    collected_bytes: int = 0
    warnings: tuple[str, ...] = ()
    memory: MemoryLedger | None = None
    ended_at_limit: bool = False
    """a guard took the last snapshot because memory ran out"""


def diff(
    before: HeapGraph,
    after: HeapGraph,
    *,
    runs: int = 0,
    warmup: int = 0,
    mode: str = "",
    target: str = "",
    measured: Measured | None = None,
    type_filter: str | None = None,
    limits: Limits | None = None,
    unit: str = "run",
    runs_each: int = 0,
    read_source: ReadSource | None = None,
    as_in_snapshot: bool = False,
) -> Findings:
    """What survived from `before` to `after`, what holds it, and whether it is a leak.

    `runs` is what the scenario did between the two, 0 to take it from the snapshots. `type_filter` narrows
    leaks and growth to the types whose qualified name ends with it; UsageError when no type does. `unit` is
    what births are counted by when it is not the run, and `runs_each` how many runs of the scenario one is.
    Lines of slots come from what `read_source` reads; without it there are none. `as_in_snapshot`: objects of
    paths keep their numbers in `after`, plus one, instead of being counted from 1.
    Pure: the same snapshots give the same findings. O(n + m), and the searches that `limits` allows.
    """
    measured, limits = measured or Measured(), limits or Limits()
    is_shallow = before.is_shallow or after.is_shallow
    if is_shallow:  # what was not looked into is not among the objects, and would seem to be native memory
        measured = replace(measured, memory=None)
    after = reclaimed(since(before, after))
    life = liveness(after)
    found = without_plumbing(after, find_survivors(before, after))
    old = census(before)
    # What is looked up in them later is read again: the search for paths needs the room.
    after.forget("addresses", "refcounts")
    before.forget("addresses", "births", "flags", "sizes")
    after = with_one_row_for_each_name(after)
    runs = runs or _runs_between(before, after, found)
    reach = explore(after, found, life)
    dead = find_garbage(life).collectable
    reach = replace(reach, survivors=_without_own(reach, dead))
    survivors = reach.survivors
    region = find_region(after, life, survivors.is_new)
    after.forget("refcounts")
    names = SlotNames(after, reach.modules.type_tiers, reach.paths.parent_ref, reach.numbered, read_source)
    counted = type_history(
        old,
        after,
        survivors,
        type_counts=measured.type_counts,
        released=measured.released,
        runs=runs,
        runs_each=runs_each,
    )
    retention = find_retention(counted, before, reach, names, runs=runs)
    groups, omitted, unacquitted = write_causes(retention, limits, type_filter)
    ledger = measure_groups(
        region, [group.objects for group in groups], named=[group.heads for group in groups]
    )
    cuts = prepare_cuts(region, names, slots=cut_slots(retention, names))
    inputs = JudgeInputs(
        retention.holding,
        names,
        retention.types,
        {one.slot.identity: one for one in retention.judged},
        find_open_sockets(reach),
        extension_types(reach.modules),
    )
    judged = assemble_leaks(inputs, groups, ledger, cuts)
    waits = find_waits(after, life)
    if waits is not None:
        judged = [_with_stuck(one, waits) for one in judged]
    works = works_between(before, after, survivors.is_new)
    if works is not None:
        judged = with_works(works, judged, region, ledger)
    grown = growth_rows(
        old, after, survivors, reach.modules, region, runs=runs, verdicts=verdicts_by_type(retention, judged)
    )
    if type_filter is None:
        grown_objects = find_growing_objects(before, reach, names, type_bytes=measured.type_bytes, runs=runs)
        judged += _judged_growing(grown_objects, len(judged))
    if measured.ended_at_limit:
        judged = with_what_filled(judged, measured.per_run, cuts)
    before.forget("addresses", "sizes", "type_ids")
    waiting = dead & survivors.is_new & (not is_shallow)
    findings = Findings(
        verdict=Verdict.CLEAN,
        headline="",
        identity=survivors.identity,
        runs=runs,
        warmup=warmup,
        mode=mode,
        target=target,
        runtime=_runtime(after),
        growth=tuple(row for row in grown if type_filter is None or is_named(row.type_name, type_filter)),
        leaks=(),
        noise=(),
        cut=None,
        cycles=find_cycles(after, life, survivors.is_new),
        projections=(),
        per_run=measured.per_run,
        survivor_count=int(reach.is_held.sum()),
        survivor_bytes=_size(after, reach.is_held),
        garbage_count=int(waiting.sum()) or measured.collected,
        garbage_bytes=_size(after, waiting),
        garbage_bytes_per_run=0 if waiting.any() else measured.collected_bytes,
        memory=measured.memory,
        stuck=accused(waits.stuck) if waits is not None else None,
        warnings=tuple(dict.fromkeys((*before.warnings, *after.warnings, *measured.warnings))),
        omitted=(*omitted, *_omitted_paths(groups, judged), *_not_measured(grown)),
        unit=unit,
    )
    findings = _concluded(findings, judged, region, ledger, cuts, unacquitted=unacquitted + is_shallow)
    if measured.ended_at_limit:
        findings = _to_run_again(findings)
    if is_shallow:  # what a run leaves weighs more than what was looked at
        findings = replace(findings, projections=())
    told_all = findings if works is None else told_works(works, findings)
    return told_all if as_in_snapshot else numbered(told_all)


def _with_stuck(one: Judged, waits: Waits) -> Judged:
    if one.group is None or not waits.never:
        return one
    stuck = stuck_survivors(waits, objects=one.group.objects, heads=one.group.heads)
    return replace(one, leak=replace(one.leak, stuck=stuck))


def _judged_growing(found: Sequence[GrowingObject], first: int) -> list[Judged]:
    """Leaks of one object each, which has no heads to cut and no births to count."""
    return [
        Judged(one.leak, None, number, one.runs_needed, one.bytes_per_run)
        for number, one in enumerate(found, first)
    ]


def _concluded(
    findings: Findings,
    judged: list[Judged],
    region: Region,
    ledger: SizeLedger,
    cuts: CutSearch,
    *,
    unacquitted: int,
) -> Findings:
    """The verdict on the whole, and what only matters once it is known."""
    judged = [replace(one, leak=in_units(one.leak, findings.unit)) for one in judged]
    noise = [one.leak for one in judged if one.leak.noise]
    groups = [one for one in judged if not one.leak.noise]
    verdict = beyond_the_heap(_verdict(findings, groups, unacquitted), findings.memory)
    decisive = [one for one in groups if one.leak.verdict is verdict and verdict is not Verdict.CLEAN]
    chosen = {one.number for one in decisive}
    others = [one.leak for one in groups if one.number not in chosen]
    noise.sort(key=lambda leak: (-leak.exclusive_bytes, -leak.count, leak.noise, leak.signature))
    listed, unlisted = noise[:_NOISE_LISTED], noise[_NOISE_LISTED:]
    omitted = list(findings.omitted)
    if unlisted:
        size = size_text(sum(leak.exclusive_bytes for leak in unlisted))
        omitted.append(f"{count_text(len(unlisted))} more places of library noise ({size})")
    runs_needed = max((one.runs_needed for one in decisive), default=0)
    leaks, memory = with_native_owner([one.leak for one in decisive], findings.memory)
    findings = replace(
        findings,
        verdict=verdict,
        memory=memory,
        leaks=leaks,
        others=tuple(others),
        noise=tuple(listed),
        cut=_common_cut(decisive, cuts) if verdict is Verdict.LEAK else None,
        projections=by_process(
            _projections(findings, decisive, region, ledger) if verdict is Verdict.LEAK else (),
            findings.memory,
        ),
        omitted=tuple(omitted),
    )
    if verdict is Verdict.INCONCLUSIVE:
        waits = all(one.is_waiting for one in decisive)
        command = next_command(findings, findings.runs if waits else runs_needed, waits=waits)
        findings = replace(findings, next_command=command)
    return replace(findings, headline=headline(findings))


def _to_run_again(findings: Findings) -> Findings:
    """The process is dead, or about to be: attaching to it again is no advice."""
    if not findings.next_command:
        return findings
    findings = replace(findings, next_command=AGAIN)
    return replace(findings, headline=headline(findings))


def _verdict(findings: Findings, groups: Sequence[Judged], unacquitted: int) -> Verdict:
    """The worst verdict of any group; garbage when there is more of it than of anything that stays.

    With survivors that could not be told of (`unacquitted`) there is no `NO LEAK`.
    """
    verdicts = {one.leak.verdict for one in groups} - {Verdict.CLEAN}
    worst = next((verdict for verdict in ORDER if verdict in verdicts), Verdict.CLEAN)
    if worst in (Verdict.LEAK, Verdict.INCONCLUSIVE):
        return worst
    if unacquitted:
        return Verdict.INCONCLUSIVE
    if worst is Verdict.FILLING:
        return worst
    staying = sum(one.leak.count for one in groups)
    is_much = findings.garbage_count >= _GARBAGE_PER_RUN * max(1, findings.runs) or not findings.per_run
    return Verdict.GARBAGE if is_much and findings.garbage_count > staying else worst


def _common_cut(leaks: Sequence[Judged], cuts: CutSearch) -> Cut | None:
    """The smallest set of slots that frees the survivors of all leaks together."""
    if len(leaks) == 1:
        return leaks[0].leak.cut
    groups = [one.group for one in leaks if one.group is not None]
    if not groups:
        return None
    heads = distinct(np.concatenate([group.heads for group in groups]))
    used = distinct(np.concatenate([group.in_use for group in groups]))
    free = heads[~np.isin(heads, used)]
    return cuts.cut_for(free if len(free) else heads, counted=heads)


def _projections(
    findings: Findings, leaks: Sequence[Judged], region: Region, ledger: SizeLedger
) -> tuple[Projection, ...]:
    """More runs at the rate of the leaks, from what each run left that is exclusive to them."""
    runs = findings.runs
    first = min((one.leak.first_run for one in leaks if one.leak.first_run), default=0)
    growing = [one.bytes_per_run for one in leaks if one.bytes_per_run]
    if growing:
        first = 1
    if not first:
        return ()
    owned = np.isin(ledger.owner, [one.number for one in leaks])
    births = region.graph.births[region.objects]
    is_dated = owned & region.is_new & (births >= first) & (births <= runs)
    runs_of = births[is_dated].astype(np.int64) - first
    sizes = np.zeros(runs - first + 1, np.int64)
    np.add.at(sizes, runs_of, region.sizes[is_dated].astype(np.int64))
    for grown in growing:
        sizes += np.array(grown[-runs:], np.int64)
    counts = np.bincount(runs_of, minlength=runs - first + 1)
    # The data of a buffer has no birth of its own: it came with what holds it.
    undated = int(region.sizes[owned & ~region.is_new].sum())
    sizes += undated * counts // max(1, int(counts.sum()))
    counted = [row.object_bytes for row in findings.per_run]
    return project(sizes.tolist(), counts.tolist(), counted=counted)


def _runs_between(before: HeapGraph, after: HeapGraph, survivors: Survivors) -> int:
    """Runs by what the snapshots say of themselves, or by the youngest survivor."""
    counted = int(after.meta.get("run", 0) or 0) - int(before.meta.get("run", 0) or 0)
    return max(counted, int(survivors.births.max(initial=0)))


def _without_own(reach: Reach, dead: Mask) -> Survivors:
    """Survivors without those that nothing but leakscan's own objects leads to."""
    survivors = reach.survivors
    is_new = survivors.is_new & ((reach.paths.distance != NO) | dead)
    kept = is_new[survivors.objects]
    return Survivors(is_new, survivors.objects[kept], survivors.births[kept], survivors.identity)


def _not_measured(rows: Sequence[Growth]) -> tuple[str, ...]:
    count = sum(row.retained_bytes is None and row.verdict in _MEASURED and any(row.births) for row in rows)
    if not count:
        return ()
    types = "1 growing type retains" if count == 1 else f"{count_text(count)} growing types retain"
    return (f"what {types} was not computed, to stay fast: --type shows it for one",)


def _omitted_paths(groups: Sequence[LeakGroup], judged: Sequence[Judged]) -> tuple[str, ...]:
    noise = {one.leak.signature for one in judged if one.leak.noise}
    return tuple(
        f"{count_text(group.path_count_omitted)} more paths for leak {group.signature}"
        for group in groups
        if group.path_count_omitted and group.signature not in noise
    )


def _size(graph: HeapGraph, mask: Mask) -> int:
    return int(graph.sizes[mask].astype(np.int64).sum())


def _runtime(graph: HeapGraph) -> str:
    version = graph.meta.get("python") or graph.meta.get("version") or ""
    return f"{graph.runtime} {version}".strip()
