"""The tasks and threads of a snapshot that can never wake: `find_stuck`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.results.waits import Answer, HeldBy, Reason, Stuck, Suspended, Waiter, WaitGroup
from leakscan.analysis.stuck.actors import Actor, find_actors, tasks_awaited
from leakscan.analysis.stuck.chains import Chain, chain_of, is_anonymous, steps_of
from leakscan.analysis.stuck.fields import Bools, Fields
from leakscan.analysis.stuck.find_v8 import find_v8_waits
from leakscan.analysis.stuck.fixpoint import World, begin
from leakscan.analysis.stuck.groups import Waits, births_of, rank
from leakscan.analysis.stuck.holders import (
    Held,
    held,
    is_held_gather,
    look_up_collections,
    tasks_of_held_scopes,
)
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import ObjectFlag

_NOBODY = Stuck("cpython", 0, 0, 0, 0, 0, 0, ())
Referrers = Mapping[int, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class _Wait:
    """One wait, as far as it is the same for a group; the order of the fields is the order of the groups."""

    waiter: Waiter
    answer: Answer
    reason: Reason
    name: str
    waits_for: str
    held_by: HeldBy
    holder: str
    chain: tuple[Suspended, ...]


def find_stuck(graph: HeapGraph, life: Liveness) -> Stuck:
    """Who waits in a snapshot of CPython or Node, and who of them can never wake. Nobody in any other."""
    waits = find_waits(graph, life)
    return waits.stuck if waits is not None else replace(_NOBODY, runtime=graph.runtime)


def find_waits(graph: HeapGraph, life: Liveness) -> Waits | None:
    """The same with their objects; None: nobody waits."""
    if graph.runtime != "cpython":
        return find_v8_waits(graph, life)
    fields = Fields(graph)
    actors = [
        actor
        for actor in find_actors(graph, fields)
        if life.is_live[actor.obj] and not graph.is_own(actor.obj)
    ]
    if not actors:
        return None
    world = begin(graph, life, fields, actors)
    world.settle()
    stuck = dict(world.blocked)
    chains = {actor.obj: chain_of(graph, fields, actor) for actor in actors}
    referrers = fields.referrers({*stuck, *(chains[obj].primitive for obj in stuck)} - {-1})
    holders = _cancel_the_named(world, chains, referrers)
    answers = {actor.obj: _answer(actor, world, stuck) for actor in actors}
    waits = {
        actor.obj: _wait(world, actor, chains[actor.obj], answers[actor.obj], holders.get(actor.obj))
        for actor in actors
    }
    alone = _only_they_hold(world)
    answered = Counter(wait.answer for wait in waits.values())
    members = _members(actors, waits)
    never = [members[wait] for wait in members if wait.answer is Answer.NEVER]
    found = Stuck(
        runtime=graph.runtime,
        waiting=len(actors),
        never=answered[Answer.NEVER],
        unless_cancelled=answered[Answer.UNLESS_CANCELLED],
        unless_failure=answered[Answer.UNLESS_FAILURE],
        only_they_hold_count=int(alone.sum()),
        only_they_hold_bytes=int(graph.sizes[alone].sum(dtype=np.uint64)),
        groups=_groups(graph, fields, members, waits),
    )
    return Waits(
        found,
        life,
        never=tuple(np.array([actor.obj for actor in group], np.uint32) for group in never),
        starts=tuple(
            np.array(sorted({at for actor in group for at in (actor.obj, actor.start)}), np.uint32)
            for group in never
        ),
        alone=alone,
    )


def _cancel_the_named(world: World, chains: Mapping[int, Chain], referrers: Referrers) -> dict[int, Held]:
    """Wake those that may be there to be cancelled, and whoever they wake then; who holds each of all.

    Doubt speaks for the one who waits: running code that knows a task by name may mean to cancel it. So may
    code that keeps a task which waits for what never had a name (`await asyncio.Event().wait()`), unless the
    collection it is in only keeps it alive.
    """
    holders: dict[int, Held] = {}
    look_up_collections(world, referrers)
    while True:
        named, in_scopes = [], tasks_of_held_scopes(world)
        for obj, actor in world.blocked.items():
            if actor.waiter is Waiter.THREAD:
                continue
            holder = holders[obj] = held(world, obj, referrers[obj])
            is_doubtful = holder.by is HeldBy.NAME or is_held_gather(world, actor.waits_for)
            if holder.by is HeldBy.COLLECTION and not holder.only_kept_alive:
                known = referrers.get(chains[obj].primitive, [])
                is_doubtful = not tasks_awaited(world.graph, world.fields, actor) and is_anonymous(
                    world.graph, world.fields, chains[obj], actor, known
                )
            if (is_doubtful or obj in in_scopes) and obj not in world.closed:
                named.append(obj)
        if not named:
            return holders
        world.cancel(named)
        world.settle()


def _answer(actor: Actor, world: World, stuck: Mapping[int, Actor]) -> Answer:
    if actor.obj in world.blocked:
        return Answer.NEVER
    if actor.obj in stuck:
        return Answer.UNLESS_CANCELLED
    return Answer.UNLESS_FAILURE if world.needs_a_failure(actor.waits_for) else Answer.CAN_WAKE


def _wait(world: World, actor: Actor, chain: Chain, answer: Answer, holder: Held | None) -> _Wait:
    graph, reason = world.graph, Reason.NONE
    if actor.obj in world.closed:
        reason = Reason.CLOSED_LOOP
    elif answer is not Answer.CAN_WAKE:
        awaits = tasks_awaited(graph, world.fields, actor)
        reason = Reason.WAITS_FOR_STUCK if awaits else Reason.UNREACHABLE
    holder = holder or Held(HeldBy.NOBODY)
    steps = steps_of(graph, chain)
    return _Wait(
        actor.waiter,
        answer,
        reason,
        steps[0].function if steps else "",
        "" if chain.primitive < 0 else graph.type_name(chain.primitive).replace("_asyncio.", "asyncio."),
        holder.by,
        holder.where,
        steps,
    )


def _members(actors: list[Actor], waits: Mapping[int, _Wait]) -> dict[_Wait, list[Actor]]:
    """Those that wait in the same way together, worst first."""
    members: dict[_Wait, list[Actor]] = {}
    for actor in actors:
        members.setdefault(waits[actor.obj], []).append(actor)
    ranked = sorted(members, key=lambda wait: rank(wait, len(members[wait])))
    return {wait: members[wait] for wait in ranked}


def _groups(
    graph: HeapGraph, fields: Fields, members: Mapping[_Wait, list[Actor]], waits: Mapping[int, _Wait]
) -> tuple[WaitGroup, ...]:
    ranked = list(members)
    position = {wait: number for number, wait in enumerate(ranked)}
    awaited = {
        wait: sorted(
            {
                position[waits[other]]
                for actor in members[wait]
                for other in tasks_awaited(graph, fields, actor)
                if other in waits and other != actor.obj
            }
        )
        for wait in ranked
    }
    return tuple(
        WaitGroup(
            waiter=wait.waiter,
            name=wait.name,
            count=len(members[wait]),
            answer=wait.answer,
            reason=wait.reason,
            waits_for=wait.waits_for,
            waits_for_groups=tuple(awaited[wait]),
            held_by=wait.held_by,
            holder=wait.holder,
            chain=wait.chain,
            births=births_of(graph, [actor.obj for actor in members[wait]]),
        )
        for wait in ranked
    )


def _only_they_hold(world: World) -> Bools:
    """Live objects that those who can never wake reach and nobody else does."""
    graph, life = world.graph, world.life
    starts = sorted({*world.blocked, *(actor.start for actor in world.blocked.values())})
    roots = np.array(starts, np.uint32)
    inside = kernels.reachable(life.csr, roots=roots, skip=life.weak, barriers=world.seen)
    synthetic = (graph.flags & np.uint8(ObjectFlag.SYNTHETIC)) != 0
    return np.asarray(inside & ~world.seen & life.is_live & ~synthetic)
