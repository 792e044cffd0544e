"""A slot: what one line of the program fills. Every reference from old to new belongs to exactly one.

A slot is the entries of one container, one attribute of the objects of one class, one local of one
function, one table of the interpreter. `slots.py` finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from leakscan.analysis.graph.costs import LAST_RESORT
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32

INSIDE: Final = " inside"
"""After the pattern of another slot: what keeps alive and explains nothing, in what that one holds."""


class SlotKind(Enum):
    ENTRIES = "entries"
    """of a container, or of an object used as one: a number that can grow"""
    NAME = "name"
    """an attribute, a local, a global: one value for each object that has it"""
    ROOT = "root"
    """the interpreter, a thread's frame, C code"""


@dataclass(frozen=True, slots=True)
class Slot:
    """`refs` (ascending) lead from an old object to a new one, `rows` are rows of `Reach.root_targets`.

    `holder` is the old object of the cheapest one, `holders` all of them, ascending; both empty for a root.
    `cost` is that of the cheapest path to an object in it. `pattern` is what `whatif --cut` takes.
    """

    pattern: str
    kind: SlotKind
    refs: U32
    rows: U32
    holder: int
    holders: U32
    label: int
    cost: int

    @property
    def identity(self) -> tuple[int, int]:
        """Its first reference and first root row, which are in no other slot; two may share a pattern."""
        return int(self.refs[0]) if len(self.refs) else NO, int(self.rows[0]) if len(self.rows) else NO

    @property
    def is_last_resort(self) -> bool:
        """Keeps its objects alive, but explains nothing where something else does."""
        return self.cost >= LAST_RESORT


@dataclass(frozen=True)
class SlotTable:
    """All slots of a snapshot: `entry_objects[i]` (of the new graph) lies in slot `entry_slots[i]`."""

    slots: tuple[Slot, ...]
    entry_objects: U32
    entry_slots: U32
    entry_refs: U32
    """the reference that leads there, NO for a root"""

    def __len__(self) -> int:
        return len(self.slots)


def lying_in(table: SlotTable, chosen: Sequence[bool]) -> U32:
    """New objects (numbers of the new graph) that lie in the chosen slots."""
    kept = np.array(chosen, np.bool_)[table.entry_slots] if len(table) else np.zeros(0, np.bool_)
    found: U32 = distinct(table.entry_objects[kept])
    return found


def entry_of(reach: Reach, slot: Slot) -> int:
    """The cheapest reference of a slot that has one."""
    sources = (np.searchsorted(reach.graph.first_ref, slot.refs.astype(np.uint64), side="right") - 1).astype(
        np.intp
    )
    costs = reach.paths.distance[sources].astype(np.int64) + reach.costs[slot.refs]
    return int(slot.refs[np.argmin(costs)])
