"""Who can wake, to a fixpoint: the blocked keep nothing alive until what they wait for can be done.

The rule is the one that Go's runtime uses for goroutines: start with everything that acts by itself, wake
whoever waits for something reached, go on from there, until nobody wakes any more. O(rounds * (n + m)), one
round for each link of the longest chain of tasks that wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.results.waits import Waiter
from leakscan.analysis.stuck.actors import Actor, tasks_awaited
from leakscan.analysis.stuck.chains import suspended_in
from leakscan.analysis.stuck.fields import Bools, Fields
from leakscan.analysis.stuck.together import Together, only_sleeps, waited_together
from leakscan.analysis.stuck.wakers import broken_with, cancelled_by_timers, not_counted, reached, starts
from leakscan.heap.graph import HeapGraph

_DEEPEST = 50
_FEW = 500


@dataclass
class World:
    """The state of the fixpoint: who is still `blocked`, and all that is `seen` without them.

    `closed` are those whose event loop is closed.
    """

    graph: HeapGraph
    life: Liveness
    fields: Fields
    blocked: dict[int, Actor]
    suspended: Mapping[int, tuple[int, ...]]
    """The coroutines and generators that a blocked task is suspended in: while they are awaited nobody else
    can resume them, so that holding them is no way to what they hold."""
    skip: Bools
    seen: Bools
    closed: frozenset[int] = frozenset()
    broken_with: Mapping[int, int] = field(default_factory=dict)
    joined: frozenset[int] = frozenset()
    """Threads whose end another one waits for: those that are not blocked can end, or have ended."""
    several: dict[int, Together | None] = field(default_factory=dict)

    def settle(self) -> None:
        """Wake whoever can wake, until nobody does."""
        while woken := [
            obj
            for obj, actor in self.blocked.items()
            if obj not in self.closed and self._can_end(actor.waits_for)
        ]:
            self.wake(woken)

    def cancel(self, cancelled: Iterable[int]) -> None:
        """Wake these, and those that are cancelled with them: what they await, in a gather all."""
        found = {obj for obj in cancelled if obj in self.blocked}
        work = sorted(found)
        while work:
            for other in tasks_awaited(self.graph, self.fields, self.blocked[work.pop()]):
                if other in self.blocked and other not in found:
                    found.add(other)
                    work.append(other)
        self.wake([obj for obj in sorted(found) if obj not in self.closed])

    def spread(self, roots: Sequence[int]) -> None:
        """Everything that these reach, the blocked reached but not passed."""
        rest = self._spread_a_little(roots)
        if not rest:
            return
        # What was reached before is not passed again, but for where it goes on from.
        barriers = self.seen.copy()
        barriers[rest] = False
        for obj in self.blocked:
            barriers[self._held_back(obj)] = True
        self.seen |= reached(self.graph, self.life, np.array(rest, np.uint32), self.skip, barriers)

    def _spread_a_little(self, roots: Sequence[int]) -> list[int]:
        """Goes on by hand while it is few objects, which one woken task mostly is; gives what is left to do.

        A pass of the kernel takes as long as the heap has objects, and a chain of tasks has one for each.
        """
        held_back = (
            {at for obj in self.blocked for at in self._held_back(obj)} if len(roots) < _FEW else set()
        )
        work, graph = [root for root in roots if not self.seen[root]], self.graph
        if len(work) >= _FEW:
            return work
        self.seen[work] = True
        for _ in range(_FEW):
            if not work:
                return []
            obj = work.pop()
            if obj in held_back:
                continue
            for ref in graph.references(obj):
                target = int(graph.ref_targets[ref])
                if not self.seen[target] and not self.skip[ref]:
                    self.seen[target] = True
                    work.append(target)
        return work

    def _held_back(self, obj: int) -> list[int]:
        is_thread = self.blocked[obj].waiter is Waiter.THREAD
        return [] if is_thread else [obj, *self.suspended[obj]]

    def wake(self, woken: Sequence[int]) -> None:
        """Let these act, and go on from what they reach."""
        roots = []
        for obj in woken:
            actor = self.blocked.pop(obj)
            # They were barriers, perhaps reached already: go on from what they hold.
            held_back = (obj, *self.suspended[obj])
            self.seen[list(held_back)] = True
            if actor.waiter is Waiter.THREAD:
                roots.append(actor.start)
            if obj in self.broken_with:
                roots.append(self.broken_with[obj])
            for at in held_back:
                refs = self.graph.references(at)
                roots += [int(self.graph.ref_targets[ref]) for ref in refs if not self.skip[ref]]
        self.spread([root for root in roots if not self.seen[root]])

    def _can_end(self, waited: int, depth: int = 0) -> bool:
        """Whether a future, a gather or a task can be done by somebody."""
        if waited in self.blocked and self.blocked[waited].waiter in (Waiter.TASK, Waiter.THREAD):
            return False
        together = self.together(waited)
        if together is None:
            return bool(self.seen[waited]) or waited in self.joined or self._is_done_task(waited)
        if not together.pending or depth > _DEEPEST:
            return True
        endings = [self._can_end(each, depth + 1) for each in together.pending]
        if all(endings) or not together.ends_with_a_failure:
            return all(endings)
        ending = [each for each, ends in zip(together.pending, endings, strict=True) if ends]
        return not all(only_sleeps(self.graph, self.fields, each) for each in ending)

    def together(self, waited: int) -> Together | None:
        """As `waited_together` says: who waits for whom does not change."""
        if waited not in self.several:
            self.several[waited] = waited_together(self.graph, self.fields, waited)
        return self.several[waited]

    def acts(self, obj: int) -> bool:
        """Whether those who run reach it, and it is not one that waits, nor leakscan's own."""
        return bool(self.seen[obj]) and obj not in self.blocked and not self.graph.is_own(obj)

    def can_fail(self, task: int) -> bool:
        """Whether a task can end other than by sleeping to its end."""
        return self._can_end(task) and not only_sleeps(self.graph, self.fields, task)

    def needs_a_failure(self, waited: int) -> bool:
        """Whether a wait for several ends only when one of them fails, because another one never ends."""
        together = self.together(waited)
        endings = [self._can_end(each) for each in together.pending] if together is not None else []
        return any(endings) and not all(endings)

    def _is_done_task(self, obj: int) -> bool:
        return obj not in self.blocked and self.graph.type_name(obj).endswith("Task")


def begin(graph: HeapGraph, life: Liveness, fields: Fields, actors: Sequence[Actor]) -> World:
    """The world in which everybody waits who is not woken by a timer."""
    blocked = {actor.obj: actor for actor in actors}
    suspended = {
        actor.obj: () if actor.waiter is Waiter.THREAD else tuple(suspended_in(graph, fields, actor.start))
        for actor in actors
    }
    world = World(
        graph,
        life,
        fields,
        dict(blocked),
        suspended,
        not_counted(graph, fields, actors),
        np.zeros(graph.object_count, np.bool_),
        broken_with=broken_with(graph, fields),
        joined=frozenset(actor.waits_for for actor in actors if actor.joins),
        closed=frozenset(obj for obj, actor in blocked.items() if _is_closed(fields, actor.loop)),
    )
    broken = [lots for task, lots in world.broken_with.items() if task not in blocked]
    world.spread([*starts(graph, life, fields, actors).tolist(), *broken])
    world.cancel(cancelled_by_timers(graph, fields, set(blocked)))
    return world


def _is_closed(fields: Fields, loop: int) -> bool:
    return loop >= 0 and fields.true >= 0 and fields.get(loop, "_closed") == fields.true
