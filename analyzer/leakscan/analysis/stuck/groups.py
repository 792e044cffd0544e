"""What is known of groups of those who wait, whatever the runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.results.waits import Answer, Reason, Stuck, Suspended, Waiter
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import BIRTH_OWN

Bools = npt.NDArray[np.bool_]
_ORDER = tuple(Answer)


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits, and the objects of those who never wake, for each group of them as `stuck.groups` has them.

    `starts` is where their own code is read from, `alone` the live objects that nobody else reaches.
    """

    stuck: Stuck
    life: Liveness
    never: tuple[U32, ...]
    starts: tuple[U32, ...]
    alone: Bools


class Described(Protocol):
    """What a group has in common."""

    @property
    def answer(self) -> Answer: ...
    @property
    def name(self) -> str: ...
    @property
    def waits_for(self) -> str: ...
    @property
    def waiter(self) -> Waiter: ...
    @property
    def reason(self) -> Reason: ...
    @property
    def holder(self) -> str: ...
    @property
    def chain(self) -> tuple[Suspended, ...]: ...


def rank(group: Described, count: int) -> tuple[object, ...]:
    """The order of groups: the worst answer first, then the most."""
    return (
        _ORDER.index(group.answer),
        -count,
        group.name,
        group.waits_for,
        group.waiter,
        group.reason,
        group.holder,
        tuple((step.function, step.file, step.line) for step in group.chain),
    )


def births_of(graph: HeapGraph, objects: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(run, how many of these were born in it), () where births are not known."""
    if not graph.has_births:
        return ()
    runs = Counter(int(graph.births[obj]) for obj in objects)
    return tuple(sorted((run, count) for run, count in runs.items() if run < BIRTH_OWN))
