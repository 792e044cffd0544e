"""What keeps each new object alive: its set of slots, and what was born under each slot, by type and run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.endings import with_endings
from leakscan.analysis.graph.holding_sets import HoldingSets, holding_sets
from leakscan.analysis.graph.kernels import NO, Csr
from leakscan.analysis.graph.refs import distinct, kinds_of
from leakscan.analysis.slots.entries import ENTRY_KINDS
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.analysis.slots.slot import SlotTable
from leakscan.heap.graph import U32
from leakscan.heap.v8_names import ARRAY

Indexes = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]

NUMBER = "(number)"
"""A number of V8 that is an object: it has a fraction or is large."""


@dataclass(frozen=True, slots=True)
class Population:
    """New objects of one type that some slots keep alive.

    `births[r]` of them were born in run r + 1, `undated` at a time that is not known. `is_whole`: there are
    no other new objects of the type, so that a census of the type is one of these.
    """

    type_row: int
    births: tuple[int, ...]
    undated: int
    is_whole: bool

    @property
    def count(self) -> int:
        return sum(self.births) + self.undated


@dataclass(frozen=True)
class Holding:
    """`set_of` u32[k]: the set of slots of each new object, by its number in `new`; NO where there are more
    sets than are told apart. `sets` lists them. `csr` is the graph that they were
    found in: that of `new`, with what ends by itself held by what ends it."""

    reach: Reach
    new: NewGraph
    table: SlotTable
    sets: HoldingSets
    csr: Csr
    runs: int

    @property
    def set_of(self) -> U32:
        return self.sets.set_of

    @cached_property
    def _by_set(self) -> tuple[Indexes, Indexes]:
        """New objects ordered by their set, and where each set begins."""
        order = np.argsort(self.set_of, kind="stable")
        return order, np.searchsorted(self.set_of[order], np.arange(self.sets.count + 1))

    def members(self, number: int) -> U32:
        """Numbers (in `new`) of the objects with this very set."""
        order, bounds = self._by_set
        return np.sort(order[bounds[number] : bounds[number + 1]]).astype(np.uint32)

    @cached_property
    def untold(self) -> U32:
        """Objects whose set was too much to tell."""
        return np.flatnonzero(self.set_of == NO).astype(np.uint32)

    @cached_property
    def sets_of_slot(self) -> list[Indexes]:
        """For each slot the sets that it is in."""
        items = self.sets.slots
        owner = np.repeat(
            np.arange(self.sets.count), (self.sets.first[1:] - self.sets.first[:-1]).astype(np.int64)
        )
        order = np.argsort(items, kind="stable")
        bounds = np.searchsorted(items[order], np.arange(len(self.table) + 1))
        return [owner[order[bounds[at] : bounds[at + 1]]] for at in range(len(self.table))]

    @cached_property
    def _census(self) -> tuple[Counts, Counts, Counts, Counts, Indexes]:
        """(type, birth, count, new objects of the type) rows ordered by set, and where each set begins."""
        types = self.reach.graph.type_ids[self.new.objects].astype(np.int64)
        births = np.minimum(self.reach.survivors.births_of(self.new.objects), self.runs).astype(np.int64)
        width, type_count = self.runs + 1, max(1, len(self.reach.graph.types))
        told = self.set_of != NO
        keys = (self.set_of.astype(np.int64) * type_count + types) * width + births
        found, counts = np.unique(keys[told], return_counts=True)
        total = np.bincount(types, minlength=type_count)
        rows = found // width % type_count
        sets = found // (width * type_count)
        bounds = np.searchsorted(sets, np.arange(self.sets.count + 1))
        return rows, found % width, counts.astype(np.int64), total, bounds

    def populations(self, sets: Indexes) -> list[Population]:
        """What these sets have together, by type; the biggest first."""
        rows, births, counts, total, bounds = self._census
        at = np.concatenate(
            [np.arange(bounds[one], bounds[one + 1]) for one in sets.tolist()] or [bounds[:0]]
        )
        types, of_type = np.unique(rows[at], return_inverse=True)
        table = np.zeros((len(types), self.runs + 1), np.int64)
        np.add.at(table, (of_type, births[at]), counts[at])
        found = [
            Population(
                type_row, tuple(line[1:]) if any(line[1:]) else (), line[0], sum(line) == int(total[type_row])
            )
            for type_row, line in zip(types.tolist(), table.tolist(), strict=True)
        ]
        return sorted(found, key=lambda population: (-population.count, population.type_row))

    @cached_property
    def _listed_numbers(self) -> Indexes:
        """The sets with a number of V8 that is an object, and an item of something new and not in a field."""
        graph, reach = self.reach.graph, self.reach
        names = np.array(graph.type_names)
        rows = [np.flatnonzero(names == of) for of in (NUMBER, ARRAY)]
        is_number = np.isin(graph.type_ids[graph.ref_targets[reach.inner]], rows[0])
        refs, sources = reach.inner[is_number], reach.inner_sources[is_number]
        is_item = np.isin(kinds_of(graph, refs), ENTRY_KINDS) | np.isin(graph.type_ids[sources], rows[1])
        return distinct(self.set_of[self.new.local[graph.ref_targets[refs[is_item]]]].astype(np.intp))

    def lists_numbers(self, slot: int) -> bool:
        """Whether something new under this slot has numbers of V8 as its items."""
        return bool(np.isin(self.sets_of_slot[slot], self._listed_numbers).any())

    def populations_of_slot(self, slot: int) -> list[Population]:
        return self.populations(self.sets_of_slot[slot])


def find_holding(reach: Reach, new: NewGraph, table: SlotTable, *, runs: int) -> Holding:
    """The set of slots of every held new object. About linear in the new objects and their references."""
    csr, entry_objects, entry_slots = with_endings(reach, new, table)
    sets = _sets(csr, new, table, entry_objects, entry_slots)
    # A value that leads to its own key keeps the entry of a weak table for ever: nothing else holds the two.
    lost = np.flatnonzero(sets.set_of == 0)
    if len(lost):
        back = np.isin(table.entry_objects, lost)
        sets = _sets(
            csr,
            new,
            table,
            np.concatenate((entry_objects, table.entry_objects[back])),
            np.concatenate((entry_slots, table.entry_slots[back])),
        )
    return Holding(reach, new, table, sets, csr, runs)


def _sets(csr: Csr, new: NewGraph, table: SlotTable, entry_objects: U32, entry_slots: U32) -> HoldingSets:
    return holding_sets(
        csr,
        entry_objects=entry_objects,
        entry_slots=entry_slots,
        slot_count=len(table),
        backward=new.backward if csr is new.csr else None,
    )
