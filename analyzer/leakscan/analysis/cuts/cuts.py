"""The smallest set of references whose removal frees survivors, checked by removing them.

A slot is a group of references that one change in the code would remove: all entries of a container,
one attribute of a class. Candidates are the slots where old objects reference new ones; where that
takes several, attributes inside the new objects as well, in case one of them is enough. The minimum cut is
the maximum flow over slots (kernels.min_cut); what it finds is cleared of superfluous members and then
measured by reachability, never taken from the flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO, OUTSIDE, SHARED, Csr
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct, kinds_of, sources_of
from leakscan.analysis.graph.region import Bools, Region
from leakscan.analysis.results.findings import Cut, CutMember
from leakscan.heap.graph import U32, U64, HeapGraph, Location
from leakscan.heap.kinds import Kind, RootKind

_FRONTIER_COST: Final = 1000
_INNER_COST: Final = 1001
"""With equal numbers the slot of an old object is offered: that is where the growth is."""
_NAMED_SOURCES: Final = 2000
_PRUNED: Final = 12
"""Members of a cut that are tried one by one; a longer cut is reported as not proved minimal."""
_REMEMBERED: Final = 16
_SEARCHED: Final = 400_000
"""References among the new objects that lead to a leak, beyond which only old objects' slots are tried."""


@dataclass(frozen=True)
class CutSlot:
    """References that a developer would remove together. `refs` (or rows of the root table) ascending."""

    pattern: str
    refs: U32
    root_rows: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    location: Location | None = None


@dataclass(frozen=True)
class CutSearch:
    """What the cuts of one snapshot share: the region, its slots, and the network made of them.

    `slot_of_edge`, `slot_of_entry`, `slot_of_root` number `slots` (NO: cannot be cut) along the
    region's csr, entry_refs and root_rows; slots from `inner_from` on are attributes of new objects.
    """

    region: Region
    slots: tuple[CutSlot, ...]
    inner_from: int
    slot_of_edge: U32
    slot_of_entry: U32
    slot_of_root: U32
    _together: dict[tuple[int, ...], Bools] = field(default_factory=dict, repr=False)

    def cut_for(
        self,
        survivors: npt.NDArray[np.integer],
        *,
        known: Sequence[str] = (),
        counted: npt.NDArray[np.integer] | None = None,
    ) -> Cut | None:
        """The smallest cut for these objects of the snapshot, None when nothing that holds them can be cut.

        Those held from C, or by nothing that has a name, count in `of` and not in `frees`. Members that free
        equally many alone come in the order of the `known` patterns, which a reader meets first. What the cut
        frees is counted among `counted` (default: the survivors), which may hold some that are in use.
        """
        sinks = self.region.numbers(survivors)
        owners = self.owner[sinks]
        cuttable = owners != OUTSIDE
        if not cuttable.any():
            found = self._deeper(sinks)
        else:
            found = self._at_the_frontier(sinks[cuttable], owners[cuttable])
            if len(found[0]) > 1:
                deeper = self._deeper(sinks)
                if deeper is None:
                    # Nothing was said about the attributes of the new objects.
                    found = found[0], self.inner_from == len(self.slots)
                elif len(deeper[0]) < len(found[0]):
                    found = deeper
        if found is None or not found[0]:
            return None
        members, is_minimal = found
        counts = sinks if counted is None else self.region.numbers(counted)
        return self.measure(members, counts, known, is_minimal=is_minimal)

    @cached_property
    def owner(self) -> U32:
        """For each object of the region the slot without which it dies; SHARED when it takes several,
        OUTSIDE when no cut at the frontier frees it."""
        region, slot_count = self.region, self.inner_from
        size = len(region)
        starts = np.concatenate((region.entry_targets, region.root_targets, region.anchored))
        slots = np.concatenate(
            (self.slot_of_entry, self.slot_of_root, np.full(len(region.anchored), NO, np.uint32))
        )
        # Behind the objects one node for each slot, then one for everything that cannot be cut.
        slots = np.where(slots == NO, slot_count, slots)
        order = np.argsort(slots, kind="stable")
        ends = np.cumsum(np.bincount(slots, minlength=slot_count + 1)) + len(region.csr.targets)
        network = Csr(
            np.concatenate((region.csr.first_ref, ends)).astype(np.uint64),
            np.concatenate((region.csr.targets, starts[order])),
        )
        group_of = np.full(size + slot_count + 1, NO, np.uint32)
        group_of[size : size + slot_count] = np.arange(slot_count, dtype=np.uint32)
        roots = np.array([size + slot_count], np.uint32)
        owner: U32 = kernels.owners(network, group_of, roots=roots)[:size]
        return owner

    @cached_property
    def _alone(self) -> tuple[U64, U64, U64]:
        """For each slot of the frontier the objects, bytes and old objects that it frees alone."""
        owned = self.owner < SHARED
        keys = np.where(owned, self.owner, 0)
        count = max(1, self.inner_from)
        objects, sizes = kernels.census(keys, self.region.sizes, key_count=count, members=owned)
        old, _ = kernels.census(keys, self.region.sizes, key_count=count, members=owned & ~self.region.is_new)
        return objects, sizes, old

    def measure(
        self, members: Sequence[int], sinks: U32, known: Sequence[str] = (), *, is_minimal: bool
    ) -> Cut:
        """What these slots free, each alone and all together. `sinks` are region numbers."""
        rows = [self._member(slot, sinks) for slot in members]
        rank = {pattern: number for number, pattern in enumerate(known)}
        rows.sort(key=lambda row: (-row.frees_alone, rank.get(row.pattern, len(rank)), row.pattern))
        if len(rows) == 1:
            return Cut(tuple(rows), rows[0].frees_alone, len(sinks), rows[0].frees_alone_bytes, is_minimal)
        freed = self._freed_by(members)
        size = int(self.region.sizes[freed].sum())
        return Cut(tuple(rows), int(freed[sinks].sum()), len(sinks), size, is_minimal)

    def _member(self, number: int, sinks: U32) -> CutMember:
        slot = self.slots[number]
        if number < self.inner_from:
            _, sizes, old = self._alone
            alone = int((self.owner[sinks] == number).sum())
            alone_bytes, alone_old = int(sizes[number]), int(old[number])
        else:
            freed = self._freed_by([number])
            alone = int(freed[sinks].sum())
            alone_bytes = int(self.region.sizes[freed].sum())
            alone_old = int((freed & ~self.region.is_new).sum())
        return CutMember(
            pattern=slot.pattern,
            reference_count=len(slot.refs) + len(slot.root_rows),
            frees_alone=alone,
            frees_alone_bytes=alone_bytes,
            frees_old=alone_old,
            file=slot.location.file if slot.location else "",
            line=slot.location.line if slot.location else 0,
        )

    def _freed_by(self, members: Sequence[int]) -> Bools:
        key = tuple(sorted(members))
        if key not in self._together:
            if len(self._together) >= _REMEMBERED:
                self._together.clear()
            chosen = [self.slots[slot] for slot in key]
            self._together[key] = self.region.freed_by(
                np.concatenate([slot.refs for slot in chosen]),
                np.concatenate([slot.root_rows for slot in chosen]),
            )
        return self._together[key]

    def _at_the_frontier(self, sinks: U32, owners: U32) -> tuple[list[int], bool]:
        """Slots of old objects. Those that free some of the sinks alone are in every cut."""
        needed = distinct(owners[owners < SHARED]).tolist()
        if (owners < SHARED).all():
            return needed, True
        if needed and self._freed_by(needed)[sinks].all():
            return needed, True
        found = self._search(sinks, inner=False)
        # Everything at the frontier is cuttable for these sinks, so there is a cut.
        assert found is not None
        return found

    def _deeper(self, sinks: U32) -> tuple[list[int], bool] | None:
        """Attributes of new objects as well, for those of the sinks that such a cut can free."""
        if self.inner_from == len(self.slots):
            return None
        region = self.region
        starts = np.concatenate(
            (
                region.entry_targets[self.slot_of_entry == NO],
                region.root_targets[self.slot_of_root == NO],
                region.anchored,
            )
        )
        stays = kernels.reachable(region.csr, roots=starts, skip=self.slot_of_edge != NO)
        cuttable = sinks[~stays[sinks]]
        return self._search(cuttable, inner=True) if len(cuttable) else None

    def _search(self, sinks: U32, *, inner: bool) -> tuple[list[int], bool] | None:
        """The minimum cut, in the part of the region that leads to the sinks."""
        region = self.region
        leads = kernels.reachable(self._backward.csr, roots=sinks)
        number = (np.cumsum(leads) - 1).astype(np.uint32)
        count = int(number[-1]) + 1
        edges = np.flatnonzero(leads[region.csr.targets])
        if inner and len(edges) > _SEARCHED:
            return None
        # What leads to the target of an edge includes its source.
        per_source = np.bincount(number[self._edge_sources[edges]], minlength=count)
        starts = np.concatenate((region.entry_targets, region.root_targets, region.anchored))
        held = np.full(len(region.anchored), NO, np.uint32)
        slot_of_start = np.concatenate((self.slot_of_entry, self.slot_of_root, held))
        slot_of_edge = self.slot_of_edge[edges] if inner else np.full(len(edges), NO, np.uint32)
        kept = leads[starts]
        first = np.zeros(count + 2, np.uint64)
        np.cumsum(np.append(per_source, np.count_nonzero(kept)), out=first[1:])
        costs = np.full(len(self.slots), _FRONTIER_COST, np.uint32)
        costs[self.inner_from :] = _INNER_COST
        found = kernels.min_cut(
            Csr(first, number[np.concatenate((region.csr.targets[edges], starts[kept]))]),
            np.concatenate((slot_of_edge, slot_of_start[kept])),
            costs,
            sources=np.array([count], np.uint32),
            sinks=number[sinks],
        )
        if found is None:
            return None
        members = found.slots.tolist()
        if not found.is_exact and len(members) <= _PRUNED:
            members = self._without_superfluous(members, sinks)
        return members, found.is_exact or len(members) == 1

    @cached_property
    def _backward(self) -> kernels.Reversed:
        return kernels.reverse(self.region.csr)

    @cached_property
    def _edge_sources(self) -> U32:
        counts = np.diff(self.region.csr.first_ref).astype(np.int64)
        return np.repeat(np.arange(len(self.region), dtype=np.uint32), counts)

    def _without_superfluous(self, members: list[int], sinks: U32) -> list[int]:
        """Drops the members that the others do without: a slot of several objects may cut too much."""
        kept = list(members)
        for slot in reversed(members):
            others = [other for other in kept if other != slot]
            if others and self._freed_by(others)[sinks].all():
                kept = others
        return kept


def prepare_cuts(region: Region, names: SlotNames, *, slots: Iterable[CutSlot] = ()) -> CutSearch:
    """Everything `cut_for` needs. `slots` are those already named; what they leave is named here."""
    none = np.zeros(0, np.uint32)
    named = _entry_slots(region, names, list(slots))
    roots = _root_slots(region, names, np.concatenate([slot.root_rows for slot in named]) if named else none)
    inner, slot_of_edge = _inner_slots(region, names)
    slot_of_edge[slot_of_edge != NO] += np.uint32(len(named) + len(roots))
    slot_of_entry = _numbered(region.entry_refs, [slot.refs for slot in named], 0)
    slot_of_root = _numbered(region.root_rows, [slot.root_rows for slot in (*named, *roots)], 0)
    return CutSearch(
        region, (*named, *roots, *inner), len(named) + len(roots), slot_of_edge, slot_of_entry, slot_of_root
    )


def _numbered(places: U32, groups: list[U32], first: int) -> U32:
    """For each item the number of the group that it is in, counted from `first`; NO for none."""
    numbers = np.full(len(places), NO, np.uint32)
    for number, members in enumerate(groups, first):
        at = np.searchsorted(places, members)
        at = at[(at < len(places))]
        at = at[np.isin(places[at], members)]
        numbers[at] = number
    return numbers


def _entry_slots(region: Region, names: SlotNames, given: list[CutSlot]) -> list[CutSlot]:
    """The given slots, and slots for the entries that none of them holds; one for each pattern."""
    known = np.concatenate([slot.refs for slot in given]) if given else np.zeros(0, np.uint32)
    rest = region.entry_refs[~np.isin(region.entry_refs, known)]
    by_pattern: dict[str, list[U32]] = {}
    places = {slot.pattern: slot.location for slot in given}
    for slot in given:
        by_pattern.setdefault(slot.pattern, []).append(slot.refs)
    for pattern, refs in _named_by_source(region.graph, names, rest):
        by_pattern.setdefault(pattern, []).append(refs)
    rows: dict[str, U32] = {}
    none = np.zeros(0, np.uint32)
    for slot in given:
        rows[slot.pattern] = distinct(np.append(rows.get(slot.pattern, none), slot.root_rows))
    return [
        CutSlot(pattern, distinct(np.concatenate(parts)), rows.get(pattern, none), places.get(pattern))
        for pattern, parts in by_pattern.items()
    ]


def _named_by_source(graph: HeapGraph, names: SlotNames, refs: U32) -> list[tuple[str, U32]]:
    """Entries of one container are one slot; attributes are one slot for each class and name."""
    if not len(refs):
        return []
    sources, kinds = sources_of(graph, refs), kinds_of(graph, refs)
    is_entry = np.isin(kinds, (Kind.KEY_INT, Kind.KEY_OTHER, Kind.KEY, Kind.INDEX, Kind.MEMBER, Kind.KEY_STR))
    # One number for what is written alike: the container, or the class and the attribute.
    owner = np.where(is_entry, sources, graph.type_ids[sources].astype(np.uint32))
    label = np.where(is_entry, np.uint32(NO), graph.ref_labels[refs])
    keys = np.stack((is_entry.astype(np.uint32), owner, label))
    _, first, group = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    parts = np.split(refs[order], np.cumsum(np.bincount(group))[:-1])
    written = []
    for number, (example, members) in enumerate(zip(first.tolist(), parts, strict=True)):
        if number < _NAMED_SOURCES:
            # A dict with one new value under an old name is that name, not the whole dict.
            every = bool(is_entry[example]) and len(members) > 1
            pattern = names.slot_pattern(int(refs[example]), every=every)
        else:
            pattern = f"{graph.type_name(int(sources[example]))}[*]"
        written.append((pattern, members))
    return written


def _root_slots(region: Region, names: SlotNames, named: U32) -> list[CutSlot]:
    graph = region.graph
    rows = region.root_rows[~np.isin(region.root_rows, named)]
    rows = rows[graph.roots.kinds[rows] != RootKind.MODULE]
    by_pattern: dict[str, list[int]] = {}
    for row in rows.tolist():
        by_pattern.setdefault(names.root_pattern(row), []).append(row)
    none = np.zeros(0, np.uint32)
    return [CutSlot(text, none, np.array(found, np.uint32)) for text, found in by_pattern.items()]


def _inner_slots(region: Region, names: SlotNames) -> tuple[list[CutSlot], U32]:
    """Attributes of new application objects, one slot for each class and name."""
    graph = region.graph
    slot_of_edge = np.full(len(region.edge_refs), NO, np.uint32)
    refs = region.edge_refs
    kinds = kinds_of(graph, refs)
    sources = region.objects[
        np.repeat(np.arange(len(region), dtype=np.uint32), np.diff(region.csr.first_ref).astype(np.int64))
    ]
    is_application = names.type_tiers[graph.type_ids[sources]] == Tier.APPLICATION
    chosen = np.flatnonzero(is_application & np.isin(kinds, (Kind.ATTRIBUTE, Kind.SLOT)))
    if not len(chosen):
        return [], slot_of_edge
    keys = graph.type_ids[sources[chosen]].astype(np.uint64) << np.uint64(32) | graph.ref_labels[refs[chosen]]
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    slot_of_edge[chosen] = group.astype(np.uint32)
    order = np.argsort(group, kind="stable")
    parts = np.split(refs[chosen][order], np.cumsum(np.bincount(group))[:-1])
    slots = []
    for example, members in zip(first.tolist(), parts, strict=True):
        ref = int(refs[chosen[example]])
        slots.append(CutSlot(names.slot_pattern(ref, every=False), np.sort(members)))
    return slots, slot_of_edge
