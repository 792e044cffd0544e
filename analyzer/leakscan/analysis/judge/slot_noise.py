"""Whether a slot is one that a library fills by itself, and whether the library bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.causes.holding import NUMBER
from leakscan.analysis.causes.paths import Reason, path_of_slot
from leakscan.analysis.causes.steps import Writing, has_callback, write_path
from leakscan.analysis.dialects.slots_v8 import LISTED
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct, kinds_of, refs_from, sources_of
from leakscan.analysis.judge.noise import noise_rule
from leakscan.analysis.judge.noise_table import HELD_BY
from leakscan.analysis.judge.test_runner import TEST_RUNNER, is_file_of_the_runner
from leakscan.analysis.results.findings import Path
from leakscan.analysis.slots.reach import Reach
from leakscan.analysis.slots.slot import Slot, SlotKind
from leakscan.analysis.slots.timers import CANCELLED_TIMERS
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import IMMORTAL, Kind, TypeFlag

IMPORTED: Final = "module imported lazily"
IMPORTS: Final = frozenset((IMPORTED, "the import system"))
"""Noise that goes on for as long as a thread imports: only a regular pace makes it a leak."""
CANCELLED: Final = "timers that are cancelled, which asyncio clears away in bulk"
_LOOKED_AT: Final = 200
_REGISTRATION: Final = "system / WeakCell"


@dataclass(frozen=True, slots=True)
class SlotNoise:
    """`reason` is "" for a slot of the program. `is_bounded`: the library lets go by itself.

    `is_at_hand`: a word of the runtime that has room for one object, and explains none that others hold, too.
    """

    reason: str = ""
    is_bounded: bool = False
    is_at_hand: bool = False


def noise_of_slot(reach: Reach, slot: Slot, *, fills: bool = False) -> SlotNoise:
    """By the way from the roots to the slot, and by what lies in it. `fills`: it has a bound, with room."""
    reason = path_of_slot(reach, slot)
    path = write_path(Writing(reach, frozenset(), 0), reason)
    found = _reason(reach, slot, reason, path)
    if fills and not found.reason and _is_of_a_library(reach, slot, path):
        return SlotNoise("a library's own cache", True)
    return found


def _reason(reach: Reach, slot: Slot, reason: Reason, path: Path) -> SlotNoise:
    contents = _contents(reach, slot)
    if slot.pattern.endswith(CANCELLED_TIMERS):
        # At most a hundred, or as many as are waiting (`_run_once` of asyncio/base_events.py, 3.11-3.15).
        return SlotNoise(CANCELLED, True)
    has_room_for_one = slot.kind is SlotKind.NAME or slot.pattern.startswith(tuple(LISTED))
    if reach.graph.runtime == "v8" and has_room_for_one and _are_of_type(reach, contents, NUMBER):
        # A number that has a fraction or is large is an object, made anew with each change.
        return SlotNoise("numbers, each in a place that has room for one", True)
    if _are_of_type(reach, contents, _REGISTRATION) and _go_with_what_they_watch(reach):
        return SlotNoise("registrations, which go with what they watch", True)
    if path.root_kind == "module" and reach.survivors.is_new[reason.members[0].root_object]:
        return SlotNoise(IMPORTED)
    if path.root_kind == "static_type" and len(path.steps) == 1:
        return SlotNoise("type of an extension module imported lazily", True)
    if _are_live_weak_references(reach, contents):
        return SlotNoise("weak references, which go with what they refer to", True)
    if bounded := _held_by_library(reach, contents, reason):
        return SlotNoise(bounded, True)
    if path.root_kind == "held_from_c" and _are_immortal_strings(reach, contents):
        return SlotNoise("strings interned for ever by this version of Python", True)
    if path.root == "module warnings" and _is_local_of_the_runner(reach, slot.holder):
        return SlotNoise(TEST_RUNNER, True)
    tiers = reach.modules.type_tier_by_name
    rule = noise_rule(path, lambda name: tiers.get(name) is Tier.APPLICATION)
    if rule is None or (rule.is_direct and not len(slot.rows)):
        return SlotNoise()
    # A root that holds one object may hold a whole chain by it: what lies in the object itself is judged.
    is_bounded = rule.is_bounded and not rule.is_direct
    names = {reach.graph.type_name(obj) for obj in contents.tolist()}
    is_programs_own = rule.is_runner and any(tiers.get(name) is Tier.APPLICATION for name in names)
    return SlotNoise(rule.reason, is_bounded and not is_programs_own, rule.is_direct)


def _is_of_a_library(reach: Reach, slot: Slot, path: Path) -> bool:
    """A library's cache with nothing of the program's in it."""
    tier = reach.modules.tier_by_name.get(path.root.removeprefix("module "), Tier.APPLICATION)
    if path.root_kind != "module" or tier is Tier.APPLICATION:
        return False
    return all(reach.modules.tier_of(obj) is not Tier.APPLICATION for obj in _contents(reach, slot).tolist())


def _contents(reach: Reach, slot: Slot) -> U32:
    """Some of what lies in the slot; the keys of a table go with its values."""
    refs = slot.refs[kinds_of(reach.graph, slot.refs) != Kind.KEY]
    refs = refs if len(refs) else slot.refs
    found: U32 = np.concatenate(
        (reach.graph.ref_targets[refs[:_LOOKED_AT]], reach.root_targets[slot.rows[:_LOOKED_AT]])
    )
    return found


def _held_by_library(reach: Reach, contents: U32, reason: Reason) -> str:
    graph = reach.graph
    names = {graph.type_name(obj) for obj in contents.tolist()}
    segments = reason.members[0].segments
    for owner in (reason.members[0].root_object, *(segment.target for segment in segments)):
        for name in sorted(names):
            if (found := HELD_BY.get((graph.type_name(owner), name))) is not None:
                return found
    return ""


def engine_noise(graph: HeapGraph, objects: U32) -> str:
    """The reason when all of these are the engine's own (scopes, tables): told when they go on growing."""
    is_engine = (graph.types.flags & np.uint8(TypeFlag.SYNTHETIC)) != 0
    return "V8's own bookkeeping" if is_engine[graph.type_ids[objects]].all() else ""


def _are_of_type(reach: Reach, contents: U32, type_name: str) -> bool:
    return bool(len(contents)) and all(reach.graph.type_name(obj) == type_name for obj in contents.tolist())


def _go_with_what_they_watch(reach: Reach) -> bool:
    """Whether the new registrations of FinalizationRegistries watch new objects that live without them.

    One whose held value leads to what it watches keeps it for ever, and so does a ring of them. Those on one
    object that lives for ever do not go. V8 writes what a registration watches first, then its token.
    """
    graph = reach.graph
    rows = [row for row, name in enumerate(graph.type_names) if name == _REGISTRATION]
    is_cell = np.isin(graph.type_ids, rows)
    cells = np.flatnonzero(is_cell & reach.is_held).astype(np.uint32)
    refs = refs_from(graph, cells)
    weak = refs[kinds_of(graph, refs) == Kind.WEAK]
    _, first = np.unique(sources_of(graph, weak), return_index=True)
    watched = graph.ref_targets[weak[first]]
    if not reach.survivors.is_new[watched].all():
        return False
    skip = reach.life.weak.copy()
    skip[refs_from(graph, np.flatnonzero(is_cell).astype(np.uint32))] = True
    alive = kernels.reachable(reach.life.csr, roots=graph.roots.targets, skip=skip)
    return bool(alive[watched].all())


def _are_immortal_strings(reach: Reach, objects: U32) -> bool:
    """CPython 3.12 makes every interned string immortal; no program can let go of one."""
    graph = reach.graph
    if not len(objects) or graph.type_name(int(objects[0])) != "str":
        return False
    return bool((graph.refcounts[objects] == IMMORTAL).all())


def _is_local_of_the_runner(reach: Reach, obj: int) -> bool:
    """Whether a frame of the test runner has this in a local: the warnings that it shows at the end.

    `_pytest/warnings.py` (pytest 7-9) waits in a generator with the list that `warnings` appends to.
    """
    graph = reach.graph
    refs = np.flatnonzero(graph.ref_targets == obj).astype(np.uint32)
    frames = sources_of(graph, refs[kinds_of(graph, refs) == Kind.LOCAL])
    places = [graph.location_of(frame) for frame in frames.tolist()]
    return any(place is not None and is_file_of_the_runner(place.file) for place in places)


def _are_live_weak_references(reach: Reach, objects: U32) -> bool:
    """Whether these are weak references to new objects, with a callback that clears them away.

    Or to what leakscan alone keeps alive: tasks of its own, which the frames of an exception lead to. Many to
    one object that lives for ever do not go: something makes them again and again.
    """
    graph = reach.graph
    for obj in objects.tolist():
        targets = [
            int(graph.ref_targets[ref]) for ref in graph.references(obj) if graph.kind(ref) == Kind.WEAK
        ]
        is_new = any(
            reach.survivors.is_new[target] or reach.paths.distance[target] == NO for target in targets
        )
        if not is_new or not has_callback(graph, obj):
            return False
    return bool(len(objects)) and not _keep_what_they_refer_to(reach, objects)


def _keep_what_they_refer_to(reach: Reach, references: U32) -> bool:
    """Whether a callback of these weak references leads to what they refer to, and it alone keeps that."""
    graph = reach.graph
    refs = refs_from(graph, references)
    is_weak = kinds_of(graph, refs) == Kind.WEAK
    targets, by_callback = graph.ref_targets[refs[is_weak]], refs[~is_weak]
    seen = np.zeros(graph.object_count, np.bool_)
    level = graph.ref_targets[by_callback]
    while len(level := distinct(level[reach.survivors.is_new[level] & ~seen[level]])):
        seen[level] = True
        onward = refs_from(graph, level)
        level = graph.ref_targets[onward[~reach.life.weak[onward]]]
    if not seen[targets].any():
        return False
    skip = reach.life.weak.copy()
    skip[by_callback] = True
    alive = kernels.reachable(reach.life.csr, roots=graph.roots.targets, skip=skip)
    return not alive[targets[seen[targets]]].all()
