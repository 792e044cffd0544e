"""Which slots keep each object alive: the kernel behind causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakscan import _native
from leakscan.analysis.graph.arrays import U32, U64, Csr, Integers, Reversed, checked, column
from leakscan.analysis.graph.kernels import components, reverse


@dataclass(frozen=True, slots=True)
class HoldingSets:
    """`set_of` u32[n]: number of each object's set of slots, 0 the empty one (nothing leads there), NO where
    the limits were reached. Set s is `slots[first[s]:first[s + 1]]`, ascending. `is_whole`: no NO in it."""

    set_of: U32
    first: U64
    slots: U32
    is_whole: bool

    @property
    def count(self) -> int:
        return len(self.first) - 1

    def slots_of(self, number: int) -> U32:
        return self.slots[int(self.first[number]) : int(self.first[number + 1])]


def holding_sets(
    csr: Csr,
    *,
    entry_objects: Integers,
    entry_slots: Integers,
    slot_count: int,
    backward: Reversed | None = None,
    most_sets: int = 100_000,
    most_items: int = 8_000_000,
    most_work: int = 400_000_000,
) -> HoldingSets:
    """For each object the set of slots from which it can be reached; equal sets share a number.

    Slot `entry_slots[i]` leads to object `entry_objects[i]`. Unions along the condensation of the graph, each
    set stored once; O(n + m) plus the sizes of the sets joined. `most_sets` and `most_items` bound what is
    stored, `most_work` what is looked at; where one is reached an object, and all it leads to, is NO.
    State: 16 bytes for each object and, at most, 4 for each item of a set.
    """
    csr = checked(csr)
    n = csr.object_count
    backward = backward or reverse(csr)
    parts = components(csr)
    set_of = np.empty(n, np.uint32)
    first = np.empty(most_sets + 1, np.uint64)
    items = np.empty(most_items, np.uint32)
    count, is_whole = _native.holding_sets(
        backward.first,
        backward.sources,
        parts.ids,
        parts.count,
        column(entry_objects, np.uint32, "entry_objects"),
        column(entry_slots, np.uint32, "entry_slots", len(entry_objects)),
        slot_count,
        most_work,
        set_of,
        first,
        items,
    )
    first = first[: count + 1].copy()
    return HoldingSets(set_of, first, items[: int(first[-1])].copy(), is_whole)
