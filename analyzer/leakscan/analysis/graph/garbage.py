"""What is alive and why not: the collector's arithmetic, garbage, cycles and who could never collect them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import Csr
from leakscan.analysis.graph.refs import distinct, refs_with_sources
from leakscan.analysis.graph.weak_entries import NONE, WeakEntries, find_weak_entries
from leakscan.analysis.results.findings import CycleFinding
from leakscan.heap.graph import U8, U32, HeapGraph
from leakscan.heap.kinds import BORROWED, IMMORTAL, KIND_MASK, Kind, RootFlag, TypeFlag

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Liveness:
    """Where life starts in a snapshot and which references carry it.

    `weak` (mask over references) keep nothing alive: weak and borrowed ones. `is_held_from_c` (mask) are
    objects with a count that neither a reference nor a root explains. `anchors` are the objects alive by
    themselves: targets of roots, held from C, immortal, and those that keep a cycle from the collector.
    `state` u8[n] is
    kernels.GARBAGE, REACHED or HELD_FROM_C. `blockers` are objects of types that take no part in collection,
    in cycles that nothing else holds: these (`stuck`, a mask, with all that they hold) live for ever.
    `entries` of tables hold only while something else lives.
    """

    csr: Csr
    weak: Bools
    root_targets: U32
    is_held_from_c: Bools
    state: U8
    anchors: U32
    blockers: U32
    stuck: Bools
    entries: WeakEntries

    @cached_property
    def is_live(self) -> Bools:
        return np.asarray(self.state != kernels.GARBAGE)


def liveness(graph: HeapGraph) -> Liveness:
    """The collector's view of a CPython snapshot; for V8, and of a shallow one, what the roots reach."""
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    weak = (kinds == Kind.WEAK) | (kinds == Kind.EPHEMERON) | (graph.ref_kinds >= BORROWED)
    csr = Csr(graph.first_ref, graph.ref_targets)
    roots = graph.roots.targets
    # Counts are explained by references, of which a shallow walk has not seen all.
    if graph.runtime != "cpython" or graph.is_shallow:
        state = kernels.reachable(csr, roots=roots, skip=weak).view(np.uint8)
        nobody = np.zeros(graph.object_count, np.bool_)
        none = np.zeros(0, np.uint32)
        return Liveness(csr, weak, roots, nobody, state, distinct(roots), none, nobody, NONE)
    view = kernels.collector_reachability(
        csr,
        graph.refcounts,
        roots=roots,
        skip=weak,
        uncounted_roots=(graph.roots.flags & np.uint8(RootFlag.BORROWED)) != 0,
    )
    is_held_from_c = np.asarray(view.external > 0)
    stands_alone = is_held_from_c | (graph.refcounts == IMMORTAL)
    stands_alone[roots] = True
    dead = np.asarray(view.state == kernels.GARBAGE)
    blockers = _blockers(graph, csr, weak, dead)
    stuck = np.zeros(graph.object_count, np.bool_)
    state = view.state
    if len(blockers):
        stands_alone[blockers] = True
        stuck = np.asarray(kernels.reachable(csr, roots=blockers, skip=weak) & dead)
        state = np.where(stuck, np.uint8(kernels.HELD_FROM_C), state)
    anchors = np.flatnonzero(stands_alone).astype(np.uint32)
    entries = find_weak_entries(graph, state != kernels.GARBAGE)
    return Liveness(csr, weak, roots, is_held_from_c, state, anchors, blockers, stuck, entries)


def _blockers(graph: HeapGraph, csr: Csr, weak: Bools, dead: Bools) -> U32:
    """Dead objects in cycles whose type takes no part in collection.

    The collector cannot explain the reference from such an object, so it takes what it holds for alive. One
    that is in no cycle goes with what holds it.
    """
    holds = _is_uncollected_type(graph)[graph.type_ids] & dead
    if not holds.any():
        return np.zeros(0, np.uint32)
    refs, owners = refs_with_sources(graph, np.flatnonzero(holds).astype(np.uint32))
    inward = dead[graph.ref_targets[refs]] & ~weak[refs]
    return _in_cycles(csr, distinct(owners[inward]), members=dead, skip=weak)


def still_blocking(life: Liveness, skip: Bools) -> U32:
    """The blockers whose cycles do without the references in `skip`."""
    return _in_cycles(life.csr, life.blockers, members=life.stuck, skip=skip)


def _in_cycles(csr: Csr, objects: U32, *, members: Bools, skip: Bools) -> U32:
    if not len(objects):
        return objects
    parts = kernels.components(csr, members=members, skip=skip)
    sizes = np.bincount(parts.ids[members], minlength=parts.count)
    inside: U32 = objects[sizes[parts.ids[objects]] > 1]
    return inside


@dataclass(frozen=True, slots=True)
class Garbage:
    """Objects that nothing alive reaches.

    `collectable` go at the next collection; `stuck` (mask) never do, because a cycle that holds them
    passes an object whose type takes no part in collection.
    """

    collectable: Bools
    stuck: Bools


def find_garbage(life: Liveness) -> Garbage:
    """What is not alive, and what is only because the collector cannot look into it."""
    return Garbage(~life.is_live, life.stuck)


def find_cycles(graph: HeapGraph, life: Liveness, members: Bools) -> tuple[CycleFinding, ...]:
    """Reference cycles among the members, those of the same types counted together; biggest first.

    A cycle is garbage when nothing outside holds it. One row stands for all cycles over the same
    types with the same answer. Cycles that an extension type hides are found by their other half.
    """
    rows = [*_visible_cycles(graph, life, members), *_hidden_cycles(graph, life, members)]
    return tuple(sorted(rows, key=lambda cycle: (-cycle.bytes, cycle.type_names, cycle.is_garbage)))


def _visible_cycles(graph: HeapGraph, life: Liveness, members: Bools) -> list[CycleFinding]:
    parts = kernels.components(life.csr, members=members, skip=life.weak)
    inside = np.flatnonzero(members)
    ids = parts.ids[inside]
    in_cycle = np.bincount(ids, minlength=parts.count)[ids] > 1
    inside, ids = inside[in_cycle], ids[in_cycle]
    if not len(inside):
        return []
    _, first, cycle_of = np.unique(ids, return_index=True, return_inverse=True)
    types = graph.type_ids[inside]
    type_count = len(graph.types)
    blocker = np.full(len(first), type_count, np.int64)
    opaque = _is_uncollected_type(graph)[types]
    np.minimum.at(blocker, cycle_of[opaque], types[opaque])
    garbage = ~life.is_live[inside[first]]
    # The set of types of a cycle as one number: a sum of random words, one for each distinct type.
    words = np.random.default_rng(0).integers(0, 2**63, type_count + 3, np.uint64)
    pairs = distinct(cycle_of.astype(np.int64) * type_count + types)
    shape = np.zeros(len(first), np.uint64)
    np.add.at(shape, pairs // type_count, words[pairs % type_count])
    shape += words[blocker] * np.uint64(3) + garbage * words[-1]
    _, example, row_of = np.unique(shape, return_index=True, return_inverse=True)
    row_of_object = row_of[cycle_of]
    objects = np.bincount(row_of_object)
    sizes = _exact_sums(graph.sizes[inside], row_of_object, len(example))
    cycles = np.bincount(row_of)
    found = []
    for row, cycle in enumerate(example.tolist()):
        through = "" if blocker[cycle] == type_count else graph.type_names[int(blocker[cycle])]
        found.append(
            CycleFinding(
                type_names=_names(graph, types[cycle_of == cycle]),
                object_count=int(objects[row]),
                bytes=int(sizes[row]),
                # What the collector cannot free is not waiting for it.
                is_garbage=bool(garbage[cycle]) and not through,
                through_uncollected_type=through,
                cycle_count=int(cycles[row]),
            )
        )
    return found


def _hidden_cycles(graph: HeapGraph, life: Liveness, members: Bools) -> list[CycleFinding]:
    """Members held from C by something that they themselves lead to and that hides its references.

    An extension type without traversal keeps its references to itself: the object it holds looks
    held from C, and the visible way to the extension object is the other half of the cycle.
    """
    only_from_c = life.state == kernels.HELD_FROM_C
    suspects = np.flatnonzero(members & life.is_held_from_c & only_from_c).astype(np.uint32)
    found = []
    for type_row in distinct(graph.type_ids[suspects]).tolist():
        same = suspects[graph.type_ids[suspects] == type_row]
        reached = kernels.reachable(life.csr, roots=same, skip=life.weak, barriers=~members)
        # What a root also reaches is no more theirs than a module or a class is.
        behind = np.flatnonzero(reached & members & only_from_c & _is_opaque(graph))
        if not len(behind):
            continue
        inside = np.concatenate((same, behind.astype(np.uint32)))
        found.append(
            CycleFinding(
                type_names=_names(graph, graph.type_ids[inside]),
                object_count=len(inside),
                bytes=int(graph.sizes[inside].astype(np.int64).sum()),
                is_garbage=False,
                through_uncollected_type=_names(graph, graph.type_ids[behind])[0],
                cycle_count=min(len(same), len(behind)),
            )
        )
    return found


def _names(graph: HeapGraph, type_rows: U32) -> tuple[str, ...]:
    return tuple(sorted({graph.type_names[row] for row in distinct(type_rows).tolist()}))


def _exact_sums(
    sizes: npt.NDArray[np.generic], groups: npt.NDArray[np.intp], count: int
) -> npt.NDArray[np.int64]:
    # np.bincount adds in float64, which is not exact past 2**53.
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, sizes.astype(np.int64))
    return sums


def _is_uncollected_type(graph: HeapGraph) -> Bools:
    return np.asarray((graph.types.flags & np.uint8(TypeFlag.COLLECTED | TypeFlag.SYNTHETIC)) == 0)


def _is_opaque(graph: HeapGraph) -> Bools:
    """Objects of extension types without traversal: they may hold what no walk can see."""
    foreign = np.array(["." in name for name in graph.type_names], np.bool_)
    return np.asarray((_is_uncollected_type(graph) & foreign)[graph.type_ids])
