"""Causes: new objects that the same slots keep alive, and which of them are one thing to fix.

Of an object's set the slots that let go by themselves are left out where others remain: a worker's loop
variable, a last-resort reference, a list of what is under way. Objects with the same rest are a cause, and
the rest is its cut. Causes that keep a class with a name alive together are one: it takes all of their slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.causes.endings import BOOKKEEPING
from leakscan.analysis.causes.holding import Holding
from leakscan.analysis.causes.naming import is_worth_naming
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.slots.slot import INSIDE
from leakscan.heap.graph import U32

_HALF: Final = 0.5

Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """What finding causes needs to know of each slot, by its number.

    `accumulates`: it goes on growing, or may. `is_aside`: it keeps alive and explains nothing. `is_at_hand`:
    it has room for one object, which is in use where something else holds it as well.
    """

    accumulates: Sequence[bool]
    is_aside: Sequence[bool]
    is_at_hand: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Cause:
    """`slots` keep `objects` (of the new graph, ascending) alive. `core` are those that all of them hold, or
    the most by weight, `shared` those that other causes hold as well. `in_use` are objects that something
    else holds as well, in the slots `in_use_by`."""

    slots: Key
    objects: U32
    core: U32
    shared: U32
    in_use: U32
    in_use_by: Key
    weight: int


def find_causes(holding: Holding, facts: SlotFacts, *, joins: bool = True) -> list[Cause]:
    """A partition of the held new objects whose sets were told, heaviest first.

    Without `joins` each set of slots is a cause of its own.
    """
    keys: dict[Key, list[int]] = {}
    left_out: dict[int, Key] = {}
    known_as = _known_as(holding)
    for number in range(1, holding.sets.count):
        whole = tuple(sorted({known_as.get(slot, slot) for slot in holding.sets.slots_of(number).tolist()}))
        key, left_out[number] = _reduced(holding, facts, whole)
        keys.setdefault(key, []).append(number)
    weights = {key: _weight(holding, sets) for key, sets in keys.items()}
    totals: Counter[int] = Counter()
    for key, weight in weights.items():
        totals.update(dict.fromkeys(key, weight))
    together = _Unions(len(holding.table))
    for key in sorted(keys, key=lambda key: (-len(key), key)):
        if (
            joins
            and len(key) > 1
            and facts.accumulates[key[0]]
            and _is_shared(holding, keys, weights, totals, key)
        ):
            together.join(key)
    parts: dict[int, list[Key]] = {}
    for key in keys:
        home = together.find(_best_slot(holding, facts, weights, key)) if joins else len(parts)
        parts.setdefault(home, []).append(key)
    causes = [_cause(holding, keys, weights, left_out, together, part) for part in parts.values()]
    return sorted(causes, key=lambda cause: (-cause.weight, cause.slots))


def _known_as(holding: Holding) -> dict[int, int]:
    """Slots of last resort inside of what another slot holds: the engine's shapes there."""
    numbers = {slot.pattern: number for number, slot in enumerate(holding.table.slots)}
    return {
        number: numbers[pattern.removesuffix(INSIDE)]
        for pattern, number in numbers.items()
        if pattern.endswith(INSIDE) and pattern.removesuffix(INSIDE) in numbers
    }


def _reduced(holding: Holding, facts: SlotFacts, whole: Key) -> tuple[Key, Key]:
    """(slots that explain, slots that let go by themselves) of a set."""
    slots = holding.table.slots
    key = tuple(slot for slot in whole if not slots[slot].is_last_resort) or whole
    key = tuple(slot for slot in key if slots[slot].pattern not in BOOKKEEPING) or key
    key = tuple(slot for slot in key if not facts.is_aside[slot]) or key
    kept = tuple(slot for slot in key if facts.accumulates[slot] and not facts.is_at_hand[slot])
    kept = kept or tuple(slot for slot in key if facts.accumulates[slot]) or key
    explains = frozenset(kept)
    return kept, tuple(slot for slot in key if slot not in explains)


def _weight(holding: Holding, sets: Sequence[int]) -> int:
    objects = holding.new.objects[np.concatenate([holding.members(number) for number in sets])]
    return int(holding.reach.graph.sizes[objects].sum(dtype=np.uint64))


def _is_shared(
    holding: Holding,
    keys: dict[Key, list[int]],
    weights: dict[Key, int],
    totals: Mapping[int, int],
    key: Key,
) -> bool:
    """Whether what these slots hold together is worth being told of once, and not once for each of them.

    `totals` is the weight of all that each slot holds.
    """
    if weights[key] >= _HALF * min(totals[slot] - weights[key] for slot in key):
        return True
    tiers = holding.reach.modules.type_tiers
    runs = max((_run_count(each.births) for each in holding.populations(_array(keys[key]))), default=0)
    return any(
        is_worth_naming(holding.reach.graph.type_names[each.type_row], int(tiers[each.type_row]))
        and _run_count(each.births) >= _HALF * max(runs, holding.runs)
        for each in holding.populations(_array(keys[key]))
    )


def _run_count(births: Sequence[int]) -> int:
    return sum(count > 0 for count in births)


def _array(numbers: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array(numbers, np.intp)


def _best_slot(holding: Holding, facts: SlotFacts, weights: dict[Key, int], key: Key) -> int:
    slots = holding.table.slots
    return min(
        key,
        key=lambda slot: (
            not facts.accumulates[slot],
            -weights.get((slot,), 0),
            slots[slot].cost,
            slots[slot].pattern,
        ),
    )


def _cause(
    holding: Holding,
    keys: dict[Key, list[int]],
    weights: dict[Key, int],
    left_out: dict[int, Key],
    together: _Unions,
    part: Sequence[Key],
) -> Cause:
    heaviest = max(part, key=lambda key: (weights[key], len(key), key))
    homes = {together.find(slot) for slot in heaviest}
    slots = tuple(sorted({slot for key in part for slot in key if together.find(slot) in homes}))
    sets = [number for key in part for number in keys[key]]
    members = [holding.members(number) for number in sets]
    used = [objects for number, objects in zip(sets, members, strict=True) if left_out[number]]
    none = np.zeros(0, np.uint32)
    shared = [
        holding.members(number)
        for key in part
        if len({together.find(slot) for slot in key}) > 1 and key != heaviest
        for number in keys[key]
    ]
    return Cause(
        slots=slots,
        objects=distinct(np.concatenate(members)),
        core=distinct(np.concatenate([holding.members(number) for number in keys[heaviest]])),
        shared=distinct(np.concatenate(shared)) if shared else none,
        in_use=distinct(np.concatenate(used)) if used else none,
        in_use_by=tuple(sorted({slot for number in sets for slot in left_out[number]})),
        weight=sum(weights[key] for key in part),
    )


class _Unions:
    """Disjoint sets of slots (Tarjan 1975), with path halving."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, slot: int) -> int:
        while self._parent[slot] != slot:
            self._parent[slot] = self._parent[self._parent[slot]]
            slot = self._parent[slot]
        return slot

    def join(self, slots: Sequence[int]) -> None:
        first = self.find(slots[0])
        for slot in slots[1:]:
            other = self.find(slot)
            low, high = min(first, other), max(first, other)
            self._parent[high] = low
            first = low
