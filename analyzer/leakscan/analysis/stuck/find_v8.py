"""Promises of a Node heap that nothing can settle any more, and the async functions that wait for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import costs, kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.modules import find_modules
from leakscan.analysis.graph.refs import distinct, source_of
from leakscan.analysis.results.waits import Answer, HeldBy, Reason, Stuck, Suspended, Waiter, WaitGroup
from leakscan.analysis.stuck.groups import Waits, births_of, rank
from leakscan.analysis.stuck.promises import (
    GLOBAL,
    HOLDS,
    REACTION,
    Promises,
    find_promises,
    is_of_node,
)
from leakscan.analysis.stuck.settling import Settling, settled
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, BIRTH_WAITING, Kind, ObjectFlag
from leakscan.heap.v8_names import GENERATOR_FUNCTION

_ENTRIES: Final = (*(Kind.INDEX, Kind.MEMBER, Kind.KEY, Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER),)
_DEEPEST: Final = 200
_NOBODY: Final = (HeldBy.NOBODY, "")


@dataclass(frozen=True, slots=True)
class _Wait:
    """One that waits: an async function with those it awaits, the outermost first, or a promise alone."""

    waiter: Waiter
    links: tuple[int, ...]
    promise: int

    @property
    def obj(self) -> int:
        return self.links[0] if self.waiter is Waiter.ASYNC_FUNCTION else self.promise


def find_v8_waits(graph: HeapGraph, life: Liveness) -> Waits | None:
    """None: nothing waits, or the heap is not Node's."""
    promises = find_promises(graph) if is_of_node(graph) else None
    if promises is None:
        return None
    world = settled(promises)
    waits = _waits(promises, world)
    if not waits:
        return None
    holders = _Holders(world)
    groups: dict[WaitGroup, list[_Wait]] = {}
    for wait in waits:
        groups.setdefault(_described(world, wait, holders), []).append(wait)
    groups = _without_sentinels(world, groups)
    ranked = sorted(groups, key=lambda group: rank(group, len(groups[group])))
    never = [groups[group] for group in ranked if group.answer is Answer.NEVER]
    synthetic = (graph.flags & np.uint8(ObjectFlag.SYNTHETIC)) != 0
    heads = [promises.heads[promise] for promise in sorted(world.blocked)]
    alive = world.seen.copy()
    alive[heads] = False
    inside = kernels.reachable(world.csr, roots=np.array(heads, np.uint32), barriers=alive)
    alone = np.asarray(inside & ~alive & ~synthetic)
    stuck = Stuck(
        runtime=graph.runtime,
        waiting=len(waits),
        never=sum(map(len, never)),
        unless_cancelled=0,
        unless_failure=0,
        only_they_hold_count=int(alone.sum()),
        only_they_hold_bytes=int(graph.sizes[alone].sum(dtype=np.uint64)),
        groups=tuple(
            replace(
                group,
                count=len(groups[group]),
                births=births_of(graph, [wait.obj for wait in groups[group]]),
            )
            for group in ranked
        ),
    )
    return Waits(
        stuck,
        life,
        never=tuple(_array(wait.obj for wait in group) for group in never),
        starts=tuple(
            _array(at for wait in group for at in (*wait.links, promises.heads[wait.promise]))
            for group in never
        ),
        alone=alone,
    )


def _array(objects: Iterable[int]) -> U32:
    return distinct(np.array(list(objects), np.uint32))


def _waits(promises: Promises, world: Settling) -> list[_Wait]:
    """Async functions that no other one awaits, and promises that only callbacks wait for."""
    awaited_by = {promise: promises.awaiting(promise) for promise in promises.heads}
    waits_for = {each.obj: promise for promise, found in awaited_by.items() for each in found}
    own = {obj: promises.promise_of(obj) for obj in waits_for}
    owner = {promise: obj for obj, promise in own.items() if promise is not None}
    outermost = [obj for obj, promise in own.items() if promise is None or not awaited_by[promise]]
    chains = {obj: _chain(obj, waits_for, owner) for obj in outermost}
    covered = {link for chain in chains.values() for link in chain}
    # Those that wait for each other in a ring have no outermost one.
    chains |= {obj: (obj,) for obj in waits_for if obj not in covered}
    graph = promises.graph
    found = [
        _Wait(Waiter.ASYNC_FUNCTION, chain, waits_for[chain[-1]])
        for chain in chains.values()
        if not graph.is_own(chain[0])
    ]
    for promise in promises.heads:
        is_derived = promise in owner or _is_derived(promises, promise)
        if not awaited_by[promise] and not is_derived and promises.callbacks(promise):
            found.append(_Wait(Waiter.PROMISE, (), promise))
    return found


def _chain(obj: int, waits_for: Mapping[int, int], owner: Mapping[int, int]) -> tuple[int, ...]:
    links = {obj: None}
    while len(links) < _DEEPEST:
        inner = owner.get(waits_for[obj])
        if inner is None or inner in links or inner not in waits_for:
            break
        links[inner] = None
        obj = inner
    return tuple(links)


def _is_derived(promises: Promises, promise: int) -> bool:
    """Whether it goes with another one that waits: `then` made it, or an async function has it."""
    return any(
        promises.graph.type_name(one) == REACTION or promises.is_suspended(one)
        for one in promises.settlers.get(promise, ())
    )


def _described(world: Settling, wait: _Wait, holders: _Holders) -> WaitGroup:
    promises, graph = world.promises, world.promises.graph
    functions = [_function_of(graph, link) for link in wait.links] or promises.callbacks(wait.promise)[:1]
    chain = tuple(_suspended(graph, function) for function in functions)
    is_blocked = wait.promise in world.blocked
    by, where = holders.of(wait.promise) if is_blocked else _NOBODY
    return WaitGroup(
        waiter=wait.waiter,
        name=chain[0].function if wait.waiter is Waiter.ASYNC_FUNCTION else "",
        count=0,
        answer=Answer.NEVER if is_blocked else Answer.CAN_WAKE,
        reason=Reason.UNREACHABLE if is_blocked else Reason.NONE,
        waits_for=graph.type_name(wait.promise),
        waits_for_groups=(),
        held_by=by,
        holder=where,
        chain=chain,
        births=(),
    )


def _function_of(graph: HeapGraph, suspended: int) -> int:
    for ref in graph.references(suspended):
        if graph.label(ref) == GENERATOR_FUNCTION:
            return int(graph.ref_targets[ref])
    return suspended


def _suspended(graph: HeapGraph, function: int) -> Suspended:
    place = graph.location_of(function)
    return Suspended(graph.name_of(function) or "", place.file if place else "", place.line if place else 0)


def _without_sentinels(
    world: Settling, groups: Mapping[WaitGroup, list[_Wait]]
) -> dict[WaitGroup, list[_Wait]]:
    """A promise that a variable holds, the only one of its kind and from before the runs, may be meant never
    to be settled: doubt speaks for it."""
    graph = world.promises.graph
    found: dict[WaitGroup, list[_Wait]] = {}
    for group, waits in groups.items():
        awaited = {wait.promise for wait in waits}
        is_old = not graph.has_births or all(
            not BIRTH_BASELINE < int(graph.births[promise]) < BIRTH_WAITING for promise in awaited
        )
        is_meant = group.held_by is HeldBy.NAME and len(awaited) == 1 and is_old
        # Without any resolve function: one that is held by those who wait was lost, not left out.
        is_meant &= not any(world.promises.settlers.get(promise) for promise in awaited)
        found[replace(group, answer=Answer.MEANT) if is_meant else group] = waits
    return found


class _Holders:
    """Where a promise is kept by what still runs, written as a program does. Paths are searched for once."""

    def __init__(self, world: Settling) -> None:
        self._world = world
        self._names: SlotNames | None = None

    def of(self, promise: int) -> tuple[HeldBy, str]:
        """The cheapest reference to it from what still runs."""
        graph, names = self._world.promises.graph, self._slot_names()
        best: tuple[int, int] | None = None
        for ref in self._into[promise]:
            kind = graph.kind(ref)
            if kind not in HOLDS or kind in (Kind.WEAK, Kind.STACK):
                continue
            if self._world.seen[source_of(graph, ref)]:
                price = (kind in _ENTRIES, ref)
                best = min(best or price, price)
        if best is None:
            return _NOBODY
        is_entry, ref = best
        source = source_of(graph, ref)
        is_variable = graph.kind(ref) == Kind.CLOSURE or graph.type_name(source).startswith(GLOBAL)
        by = HeldBy.COLLECTION if is_entry or not is_variable else HeldBy.NAME
        return by, names.slot_pattern(ref, every=bool(is_entry))

    @cached_property
    def _into(self) -> dict[int, list[int]]:
        """The references to each promise that is blocked: one pass for all of them."""
        graph = self._world.promises.graph
        is_blocked = np.zeros(graph.object_count, np.bool_)
        is_blocked[list(self._world.blocked)] = True
        found: dict[int, list[int]] = {promise: [] for promise in self._world.blocked}
        for ref in np.flatnonzero(is_blocked[graph.ref_targets]).tolist():
            found[int(graph.ref_targets[ref])].append(ref)
        return found

    def _slot_names(self) -> SlotNames:
        if self._names is None:
            graph = self._world.promises.graph
            modules = find_modules(graph)
            paths = kernels.shortest_paths(
                self._world.csr,
                roots=graph.roots.targets,
                costs=costs.reference_costs(graph, modules),
                root_costs=costs.root_costs(graph, modules),
            )
            self._names = SlotNames(graph, modules.type_tiers, paths.parent_ref)
        return self._names
