"""Single objects that grow: a buffer, a text that is added to, a list of shared values.

Their number stands still, so that births say nothing. What does: the object (or the one that took its
place in the same slot) is bigger than before the runs, and the census of bytes of its type, less what new
objects account for, went on rising in the second half of the runs and in several steps.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Final

import numpy as np

from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.causes.paths import RawPath, Reason
from leakscan.analysis.causes.steps import Writing, write_path
from leakscan.analysis.cuts.object_cut import cut_of_object
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.judge.noise import noise_rule
from leakscan.analysis.judge.pace import ENOUGH_RUNS
from leakscan.analysis.results.findings import Holder, Leak, Verdict
from leakscan.analysis.slots.holder import is_container, place_of
from leakscan.analysis.slots.reach import Reach
from leakscan.analysis.slots.slot import Slot, SlotKind
from leakscan.analysis.slots.slots import DATA_KINDS
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind, ObjectFlag, RootKind
from leakscan.wording import size_text

_SMALLEST: Final = 1024
_LEAST_GROWTH: Final = 512
_LOOKED_AT: Final = 2000
_LISTED: Final = 10
_LONGEST: Final = 8
"""References through new objects from the last old one: a data frame has five to its numbers."""
_SPARE_BYTES: Final = {"collections.deque": 16 * 528}
"""What an object keeps of the room it once needed: a deque up to 16 blocks (`MAXFREEBLOCKS` of CPython's
Modules/_collectionsmodule.c, 3.11-3.15)."""
_STEPS: Final = 3
"""A table that doubles once has grown too; what goes on growing does it in several steps."""
_GOES_ON: Final = 0.25
_IS_OVER: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Grown:
    obj: int
    size_before: int
    size_after: int
    told_as: int
    """what has a name: the object itself, or what holds it where no name leads to it"""
    parts: frozenset[int]
    """the object and the others of its type that grow with it"""
    began_in_the_runs: bool = False
    """nothing was in its place before them: how big it was at first is for the census to say"""

    @property
    def growth(self) -> int:
        return self.size_after - self.size_before


@dataclass(frozen=True, slots=True)
class GrowingObject:
    """A leak that is one object. `runs_needed` is the number of runs that would decide, 0 when decided.

    `bytes_per_run` is what it grew by in each run: its share of what all objects of its type grew by.
    """

    leak: Leak
    runs_needed: int
    bytes_per_run: tuple[int, ...]


def find_growing_objects(
    before: HeapGraph,
    reach: Reach,
    names: SlotNames,
    *,
    type_bytes: Mapping[str, Sequence[int]],
    runs: int,
) -> list[GrowingObject]:
    """Objects that grew from `before` to the snapshot of `reach` and go on growing, biggest growth first.

    `type_bytes` is the census of bytes by type name after 0, 1, ... runs; without it growth can be
    seen, but not whether it goes on, and nothing is said. Only leaks and undecided ones are returned.
    """
    if runs < ENOUGH_RUNS or not type_bytes:
        return []
    least = max(_LEAST_GROWTH, 16 * runs)
    spare = {row: _SPARE_BYTES.get(name, 0) for row, name in enumerate(reach.graph.type_names)}
    grown_objects = [
        one
        for one in _grown(before, reach)
        if one.growth >= least + spare[int(reach.graph.type_ids[one.obj])]
    ]
    by_type: dict[str, list[_Grown]] = {}
    for one in grown_objects:
        by_type.setdefault(reach.graph.type_name(one.obj), []).append(one)
    found = []
    for members, rises in _judged_together(reach, by_type, type_bytes, runs, least):
        total = sum(one.growth for one in members)
        verdict = _verdict(rises, total)
        if verdict is None:
            continue
        for one in members:
            if 10 * one.growth >= total:
                leak = _leak(reach, names, one, verdict, runs)
                if leak is not None:
                    needed = 0 if verdict is Verdict.LEAK else 3 * runs
                    share = tuple(rise * one.growth // total for rise in rises)
                    found.append((one.told_as, GrowingObject(leak, needed, share)))
    found.sort(key=lambda row: (-row[1].leak.exclusive_bytes, row[1].leak.signature))
    graph = reach.graph
    return [
        replace(one, leak=replace(one.leak, cut=cut_of_object(graph, reach.life, names, obj)))
        for obj, one in found[:_LISTED]
    ]


def _judged_together(
    reach: Reach,
    by_type: Mapping[str, Sequence[_Grown]],
    type_bytes: Mapping[str, Sequence[int]],
    runs: int,
    least: int,
) -> list[tuple[list[_Grown], list[int]]]:
    """(objects of a type, what its bytes rose by in each run on their account).

    What began in the runs is looked at alone, from the run on in which it was there first.
    """
    found = []
    for type_name, members in by_type.items():
        if known := [one for one in members if not one.began_in_the_runs]:
            found.append((known, _rises(reach, type_bytes.get(type_name, ()), type_name, known, runs)))
        for one in members:
            if one.began_in_the_runs:
                rises = _rises(reach, type_bytes.get(type_name, ()), type_name, [one], runs)
                began = next((run for run, rise in enumerate(rises) if rise > 0), len(rises))
                first, later = sum(rises[began : began + 1]), rises[began + 1 :]
                # What else grows of the type would make it look as if this one did.
                is_it = abs(sum(rises) - one.growth) <= _GOES_ON * one.growth
                was_made_at_once = 2 * max(rises, default=0) > one.growth
                if is_it and not was_made_at_once and 0 < first <= one.growth - least:
                    found.append(([replace(one, size_before=first)], [0] * (began + 1) + later))
    return found


def _grown(before: HeapGraph, reach: Reach) -> list[_Grown]:
    graph = reach.graph
    own = (graph.flags & np.uint8(ObjectFlag.OWN | ObjectFlag.SYNTHETIC)) != 0
    big = (graph.sizes >= _SMALLEST) & (reach.paths.distance != NO) & ~own
    candidates = np.flatnonzero(big).astype(np.uint32)
    if len(candidates) > _LOOKED_AT:
        order = np.argsort(-graph.sizes[candidates].astype(np.int64), kind="stable")
        candidates = candidates[order[:_LOOKED_AT]]
    is_new = reach.survivors.is_new
    old = candidates[~is_new[candidates]]
    # A container of new objects is the holder of a leak already.
    holds_new = np.isin(old, reach.frontier_sources)
    return [
        *_in_place(before, graph, old[~holds_new]),
        *_in_their_place(before, reach, candidates[is_new[candidates]]),
    ]


def _in_place(before: HeapGraph, graph: HeapGraph, objects: U32) -> list[_Grown]:
    """The same object, bigger."""
    addresses = graph.addresses[objects]
    order = np.argsort(addresses)
    if not len(order):
        return []
    at = np.minimum(np.searchsorted(addresses[order], before.addresses), len(order) - 1)
    met = np.flatnonzero(addresses[order][at] == before.addresses)
    found = []
    for earlier, obj in zip(met.tolist(), objects[order[at[met]]].tolist(), strict=True):
        # A table that was fuller once keeps its room: what has no more entries did not grow.
        kept_room = is_container(graph.type_name(obj)) and _width(graph, obj) <= _width(before, earlier)
        if before.type_name(earlier) == graph.type_name(obj) and not kept_room:
            found.append(
                _Grown(obj, int(before.sizes[earlier]), int(graph.sizes[obj]), obj, frozenset((obj,)))
            )
    return found


def _width(graph: HeapGraph, obj: int) -> int:
    """How many references the object has."""
    return int(graph.first_ref[obj + 1]) - int(graph.first_ref[obj])


def _in_their_place(before: HeapGraph, reach: Reach, objects: U32) -> list[_Grown]:
    """A new object where one of its type was, in something old or in what is made anew around it."""
    graph = reach.graph
    ways: list[tuple[int, int, list[int]]] = []
    for obj in objects.tolist():
        refs = reach.paths.references_to(obj)
        sources = [source_of(graph, ref) for ref in refs]
        is_old = [not reach.survivors.is_new[source] for source in sources]
        if any(is_old) and not _is_made_anew_for_new_ones(reach, obj):
            last = len(is_old) - 1 - is_old[::-1].index(True)
            if len(refs) - last <= _LONGEST:
                ways.append((obj, sources[last], refs[last:]))
    known = Earlier(before, graph)
    known.look_up(np.array([holder for _, holder, _ in ways], np.uint32))
    # A table is looked into once for all of the objects in it.
    held = cache(lambda holder: _held_by_slot(before, holder))
    found: dict[tuple[int, str], _Grown] = {}
    taken: Counter[int] = Counter()
    earlier_of: list[int | None] = []
    for _, holder, refs in ways:
        earlier = known.of(holder)
        for ref in refs:
            earlier = None if earlier is None else held(earlier).get(_slot_of(graph, ref))
        earlier_of.append(earlier)
        taken.update(() if earlier is None else (earlier,))
    for (obj, holder, refs), earlier in zip(ways, earlier_of, strict=True):
        if known.of(holder) is None or (earlier is None and not _is_one_by_name(reach, holder, refs[0], obj)):
            continue
        if earlier is not None and taken[earlier] > 1:
            # Entries whose keys are written alike, `[<type>]`: none of them takes the place of an older one.
            continue
        told_as = _named(graph, refs)
        size = 0 if earlier is None else int(before.sizes[earlier])
        one = _Grown(obj, size, int(graph.sizes[obj]), told_as, frozenset((obj,)), earlier is None)
        key = told_as, graph.type_name(obj)
        found[key] = one if key not in found else _together(found[key], one)
    return list(found.values())


def _is_one_by_name(reach: Reach, holder: int, ref: int, obj: int) -> bool:
    """Whether a name of something old leads to it: entries are told by their number, not their size."""
    graph = reach.graph
    is_entry = graph.kind(ref) in DATA_KINDS and not reach.is_namespace[holder]
    return not is_entry and not is_container(graph.type_name(obj))


def _named(graph: HeapGraph, refs: Sequence[int]) -> int:
    """The object itself, or the last before the first reference without a name that leads to it."""
    unnamed = [at for at, ref in enumerate(refs) if graph.kind(ref) == Kind.UNNAMED]
    at = unnamed[0] - 1 if unnamed and unnamed[0] else len(refs) - 1
    return int(graph.ref_targets[refs[at]])


def _together(one: _Grown, other: _Grown) -> _Grown:
    """Two parts of one object: the columns of a table and its index."""
    biggest = one if one.growth >= other.growth else other
    return replace(
        biggest,
        size_before=one.size_before + other.size_before,
        size_after=one.size_after + other.size_after,
        parts=one.parts | other.parts,
    )


def _is_made_anew_for_new_ones(reach: Reach, obj: int) -> bool:
    """A container whose entries are new objects, like asyncio's heap of timers: they tell of it."""
    graph = reach.graph
    if not is_container(graph.type_name(obj)):
        return False
    return bool(
        reach.survivors.is_new[graph.ref_targets[graph.first_ref[obj] : graph.first_ref[obj + 1]]].any()
    )


def _held_by_slot(before: HeapGraph, holder: int) -> dict[tuple[Kind, str, str], int]:
    """What an object refers to, by kind and name of the reference and the type of what it leads to."""
    found: dict[tuple[Kind, str, str], int] = {}
    for ref in before.references(holder):
        found.setdefault(_slot_of(before, ref), int(before.ref_targets[ref]))
    return found


def _slot_of(graph: HeapGraph, ref: int) -> tuple[Kind, str, str]:
    return graph.kind(ref), graph.label(ref), graph.type_name(int(graph.ref_targets[ref]))


def _rises(
    reach: Reach, counted: Sequence[int], type_name: str, members: Sequence[_Grown], runs: int
) -> list[int]:
    """What the type's bytes rose by in each run, less what new objects account for; [] when not counted."""
    if len(counted) <= runs:
        return []
    rises = np.diff(np.array(counted[-runs - 1 :], np.int64))
    rises -= _born_bytes(reach.graph, reach, type_name, {obj for one in members for obj in one.parts}, runs)
    return [int(rise) for rise in rises]


def _verdict(rises: Sequence[int], total: int) -> Verdict | None:
    """LEAK when the type's bytes go on rising by what these objects grew, INCONCLUSIVE between, else None."""
    steps = sum(rise * 2 > _IS_OVER * total for rise in rises)
    late = sum(rises[len(rises) // 2 :]) / total
    if steps < _STEPS or late <= _IS_OVER:
        return None
    if min(rises) <= -_GOES_ON * total:
        return _of_one_that_falls(rises, total)
    return Verdict.LEAK if late >= _GOES_ON else Verdict.INCONCLUSIVE


def _of_one_that_falls(rises: Sequence[int], total: int) -> Verdict | None:
    """A buffer that is emptied now and then is as big as before again and again; what stays is a leak."""
    levels = [0, *accumulate(rises)]
    half = len(levels) // 2
    if min(levels[half:]) - min(levels[:half]) >= _GOES_ON * total:
        return Verdict.LEAK
    last_fall = max(run for run, rise in enumerate(rises) if rise <= -_GOES_ON * total)
    higher = levels[-1] - max(levels[: last_fall + 1])
    return Verdict.INCONCLUSIVE if higher >= _GOES_ON * total else None


def _born_bytes(
    graph: HeapGraph, reach: Reach, type_name: str, except_for: set[int], runs: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bytes of the new objects of the type by the run they were born in."""
    rows = [row for row, name in enumerate(graph.type_names) if name == type_name]
    objects = reach.survivors.objects
    chosen = np.isin(graph.type_ids[objects], rows) & ~np.isin(objects, sorted(except_for))
    born = reach.survivors.births[chosen].astype(np.int64)
    sums = np.zeros(runs + 1, np.int64)
    np.add.at(sums, np.minimum(born, runs), graph.sizes[objects[chosen]].astype(np.int64))
    return sums[1:]


def _leak(reach: Reach, names: SlotNames, one: _Grown, verdict: Verdict, runs: int) -> Leak | None:
    graph = reach.graph
    refs = reach.paths.references_to(one.obj)
    if reach.root_kinds[int(reach.paths.root[one.obj])] == RootKind.INTERPRETER:
        # Its own tables: they grow with the program's names, in steps, and are nobody's to clear.
        return None
    start = source_of(graph, refs[0]) if refs else one.obj
    segments = read_segments(graph, reach.modules, refs)
    raw = RawPath(int(reach.paths.root[one.obj]), start, segments)
    none = np.zeros(0, np.uint32)
    slot = Slot(names.holder_label(one.told_as), SlotKind.NAME, none, none, one.obj, none, -1, 0)
    path = write_path(Writing(reach, frozenset((one.obj,)), 0), Reason(slot, none, 0, (raw,)))
    tiers = reach.modules.type_tier_by_name
    rule = noise_rule(path, lambda name: tiers.get(name) is Tier.APPLICATION)
    if rule is not None:
        return None
    type_name, label, place = (
        graph.type_name(one.obj),
        names.holder_label(one.told_as),
        place_of(names, one.told_as),
    )
    goes_on = "and goes on" if verdict is Verdict.LEAK else "perhaps over"
    grew = f"{size_text(one.size_before)} -> {size_text(one.size_after)}"
    return Leak(
        signature=hashlib.sha256(f"grows\x1f{type_name}\x1f{label}".encode("utf-8", "replace")).hexdigest()[
            :8
        ],
        type_name=type_name,
        count=1,
        exclusive_bytes=one.growth,
        shared_bytes=0,
        verdict=verdict,
        evidence=f"grew {grew}, {size_text(one.growth / runs)} per run, {goes_on}",
        rate=0.0,
        every_run=False,
        first_run=0,
        last_run=0,
        births=(),
        path=path,
        also_held_by=(),
        holder=Holder(
            label, type_name, None, 1, None, place.file if place else "", place.line if place else 0
        ),
        cut=None,
        growth_bytes=one.growth,
    )
