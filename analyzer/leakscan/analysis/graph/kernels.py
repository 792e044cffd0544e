"""Graph algorithms on the flat arrays of a snapshot: numpy in, numpy out, the work in `_native`.

All of them are iterative, take any integer array whose values fit (converted, never wrapped round),
and raise ValueError for an index out of range or a wrong length. Masks are bool or uint8, one item for
each object or reference, non-zero = set. "State" is what a call allocates besides its result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakscan import _native
from leakscan.analysis.graph.arrays import BLOCKED as BLOCKED
from leakscan.analysis.graph.arrays import BLOCKED_ROOT as BLOCKED_ROOT
from leakscan.analysis.graph.arrays import FARTHEST as FARTHEST
from leakscan.analysis.graph.arrays import GARBAGE as GARBAGE
from leakscan.analysis.graph.arrays import HELD_FROM_C as HELD_FROM_C
from leakscan.analysis.graph.arrays import NO as NO
from leakscan.analysis.graph.arrays import OUTSIDE as OUTSIDE
from leakscan.analysis.graph.arrays import REACHED as REACHED
from leakscan.analysis.graph.arrays import SHARED as SHARED
from leakscan.analysis.graph.arrays import U8 as U8
from leakscan.analysis.graph.arrays import U32 as U32
from leakscan.analysis.graph.arrays import U64 as U64
from leakscan.analysis.graph.arrays import UNCUTTABLE as UNCUTTABLE
from leakscan.analysis.graph.arrays import Bools as Bools
from leakscan.analysis.graph.arrays import Csr as Csr
from leakscan.analysis.graph.arrays import Integers as Integers
from leakscan.analysis.graph.arrays import Mask as Mask
from leakscan.analysis.graph.arrays import Reversed as Reversed
from leakscan.analysis.graph.arrays import checked, column, mask_column, optional, sizes_column


@dataclass(frozen=True, slots=True)
class ShortestPaths:
    """One cheapest path to each object, NO in all three columns where there is none.

    `distance` u32[n]; `parent_ref` u32[n]: last reference of the path, NO at a root; `root` u32[n]:
    index into the roots that were given.
    """

    csr: Csr
    distance: U32
    parent_ref: U32
    root: U32
    reached_count: int

    def references_to(self, obj: int) -> list[int]:
        """References of the path, root's first; [] when `obj` is a root. ValueError: not reached."""
        if int(self.distance[obj]) == NO:
            raise ValueError(f"object {obj} is not reached")
        path = []
        ref = int(self.parent_ref[obj])
        while ref != NO:
            path.append(ref)
            source = int(np.searchsorted(self.csr.first_ref, np.uint64(ref), side="right")) - 1
            ref = int(self.parent_ref[source])
        path.reverse()
        return path


@dataclass(frozen=True, slots=True)
class Components:
    """`ids` u32[n]: component of each object, NO for those that are no members.

    A component's number is greater than those of all components that it references.
    """

    ids: U32
    count: int


@dataclass(frozen=True, slots=True)
class DominatorTree:
    """`idom` u32[n]: immediate dominator; n = the virtual root above all roots, NO = not reached.

    `order` u32[reached]: the reached objects, each after its immediate dominator.
    """

    idom: U32
    order: U32

    def retained_sizes(self, sizes: Integers) -> U64:
        """Bytes that would go with each object: u64[n + 1], 0 where not reached; [n] is the total.

        O(n), no state. `sizes` u32 or u64, one for each object.
        """
        n = len(self.idom)
        sizes = sizes_column(sizes, n)
        retained = np.zeros(n + 1, np.uint64)
        _native.retained_sizes(self.idom, self.order, sizes, retained)
        return retained

    def children(self) -> Csr:
        """The tree downwards over n + 1 nodes (n = virtual root); children by object number."""
        n = len(self.idom)
        reached = self.idom != NO
        first = np.zeros(n + 2, np.uint64)
        np.cumsum(reached, out=first[1 : n + 1])
        first[n + 1] = first[n]
        up = Csr(first, self.idom[reached])
        down = reverse(up)
        return Csr(down.first, down.sources)


@dataclass(frozen=True, slots=True)
class CollectorView:
    """What the collector would make of the heap; see collector_reachability.

    `external` u32[n]: counts that no reference or root explains; `state` u8[n]: GARBAGE, REACHED,
    HELD_FROM_C; `overcounted`: objects with more owning references than their count says.
    """

    external: U32
    state: U8
    overcounted: int


@dataclass(frozen=True, slots=True)
class SlotCut:
    """`slots` are the numbers of the slots to cut, ascending; `cost` their total.

    `is_exact` is False when a slot among those that matter has several sources and several targets: the
    cut then still separates, but a cheaper one may exist.
    """

    slots: U32
    cost: int
    is_exact: bool


def reverse(csr: Csr) -> Reversed:
    """The references by target. Counting sort, O(n + m), no state."""
    csr = checked(csr)
    first = np.empty(csr.object_count + 1, np.uint64)
    sources = np.empty(csr.reference_count, np.uint32)
    refs = np.empty(csr.reference_count, np.uint32)
    _native.reverse_csr(csr.first_ref, csr.targets, first, sources, refs)
    return Reversed(first, sources, refs)


def shortest_paths(
    csr: Csr,
    *,
    roots: Integers,
    costs: Integers | None = None,
    root_costs: Integers | None = None,
    barriers: Mask | None = None,
) -> ShortestPaths:
    """Cheapest path from any root to every object.

    `costs` u16[m] (default: 1 each; 0 allowed; BLOCKED), `root_costs` u32[len(roots)] (default 0;
    BLOCKED_ROOT), `barriers`: objects that may be reached but not passed, roots included.

    Of several paths the one with the smaller distance, then fewer hops, then the smaller root index,
    then the one whose last source comes first in this very order, then the earlier reference of that
    source. None of it depends on how objects are numbered, so the choice is the same wherever the
    heap lay in memory, as long as roots and each object's references come in the same order.

    Dial's bucket queue (Dial 1969, Algorithm 360) with each bucket ordered by hops; linear
    in n + m but for that sort. State: 16 bytes for each object, 8 for each queue entry; 4 bytes for each
    object when neither `costs` nor `root_costs` is given (plain breadth-first search).
    """
    csr = checked(csr)
    n, m = csr.object_count, csr.reference_count
    roots = column(roots, np.uint32, "roots")
    distance, parent_ref, root = (np.empty(n, np.uint32) for _ in range(3))
    reached = _native.shortest_paths(
        csr.first_ref,
        csr.targets,
        optional(costs, np.uint16, "costs", m),
        roots,
        optional(root_costs, np.uint32, "root_costs", len(roots)),
        mask_column(barriers, "barriers", n),
        distance,
        parent_ref,
        root,
    )
    return ShortestPaths(csr, distance, parent_ref, root, reached)


def components(csr: Csr, *, members: Mask | None = None, skip: Mask | None = None) -> Components:
    """Strongly connected components of the members (default: all), without the skipped references.

    Pearce's one-pass algorithm (Pearce 2016, "A space-efficient algorithm for finding strongly connected
    components"), O(n + m). Started at objects in ascending order. State: at most 16 bytes per object.
    """
    csr = checked(csr)
    ids = np.empty(csr.object_count, np.uint32)
    count = _native.components(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        mask_column(members, "members", csr.object_count),
        ids,
    )
    return Components(ids, count)


def dominators(csr: Csr, *, roots: Integers, skip: Mask | None = None) -> DominatorTree:
    """Immediate dominators under a virtual root that references every root.

    SEMI-NCA (Georgiadis, Tarjan, Werneck 2006, "Finding dominators in practice") with the walk to the
    nearest common ancestor over skew-binary jump pointers (Myers 1983), which the plain walk needs on
    linked lists whose payloads are also held elsewhere: O(m log n) always, linear in practice.
    State: 20 bytes for each reached object, 12 for each reference that goes back or across.
    """
    csr = checked(csr)
    n = csr.object_count
    idom = np.empty(n, np.uint32)
    order = np.empty(n, np.uint32)
    count = _native.dominators(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        column(roots, np.uint32, "roots"),
        idom,
        order,
    )
    return DominatorTree(idom, order[:count])


def reachable(csr: Csr, *, roots: Integers, skip: Mask | None = None, barriers: Mask | None = None) -> Bools:
    """Objects reached from the roots without the skipped references; barriers are reached, not passed.

    O(n + m). State: 4 bytes for each reached object.
    """
    csr = checked(csr)
    reached = np.empty(csr.object_count, np.bool_)
    _native.reachable(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        column(roots, np.uint32, "roots"),
        mask_column(barriers, "barriers", csr.object_count),
        reached,
    )
    return reached


def only_through(
    csr: Csr,
    objects: Mask,
    *,
    roots: Integers,
    skip: Mask | None = None,
    reached: Bools | None = None,
) -> Bools:
    """Objects reached from the roots only through `objects`, which are included when reached themselves.

    `reached`: what reachable() gave for the same roots and skip, when the caller has it already.
    """
    if reached is None:
        reached = reachable(csr, roots=roots, skip=skip)
    without = reachable(csr, roots=roots, skip=skip, barriers=objects)
    survives: Bools = without & (np.asarray(objects) == 0)
    return np.asarray(reached & ~survives, np.bool_)


def owners(csr: Csr, group_of_object: Integers, *, roots: Integers, skip: Mask | None = None) -> U32:
    """Which group each object is alive for: a partition, so that sizes by owner add up to the whole.

    `group_of_object` u32[n]: group number below SHARED, NO for no group. Result u32[n]: for a member its
    own group; else the group g when the nearest members on all paths to the object are of g (members are
    barriers for each other); SHARED when of several groups; OUTSIDE when a path has no member; NO when
    nothing reaches it. Members count as alive whether or not a root reaches them. O(n + m): each object
    changes its owner at most twice. State: up to 8 bytes per object.
    """
    csr = checked(csr)
    owner = np.empty(csr.object_count, np.uint32)
    _native.owners(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        column(roots, np.uint32, "roots"),
        column(group_of_object, np.uint32, "group_of_object", csr.object_count),
        owner,
    )
    return owner


def count_in_references(csr: Csr, *, counted: Mask | None = None) -> U32:
    """How many of the counted references (default: all) lead to each object: u32[n]."""
    csr = checked(csr)
    counts = np.empty(csr.object_count, np.uint32)
    _native.count_in_references(csr.targets, mask_column(counted, "counted", csr.reference_count), counts)
    return counts


def collector_reachability(
    csr: Csr,
    refcounts: Integers,
    *,
    roots: Integers,
    skip: Mask | None = None,
    uncounted_roots: Mask | None = None,
) -> CollectorView:
    """The cycle collector's arithmetic over the whole heap: who is held from C, who is garbage.

    From each object's count (u32[n], kinds.IMMORTAL = not counted) every reference that is not skipped
    and every root not in `uncounted_roots` (mask over the roots) is subtracted; what is left is
    `external`. An object is REACHED from the roots; else HELD_FROM_C when it, or something that leads to
    it, has an external count or is immortal; else GARBAGE. `skip` must hold the references that own no
    count (borrowed, weak): they neither explain a count nor keep alive. A count smaller than the
    references seen is taken as fully explained and counted in `overcounted`. O(n + m). State: 4 bytes
    per object.
    """
    csr = checked(csr)
    n = csr.object_count
    roots = column(roots, np.uint32, "roots")
    external = np.empty(n, np.uint32)
    state = np.empty(n, np.uint8)
    overcounted = _native.collector_reachability(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        column(refcounts, np.uint32, "refcounts", n),
        roots,
        mask_column(uncounted_roots, "uncounted_roots", len(roots)),
        external,
        state,
    )
    return CollectorView(external, state, overcounted)


def census(
    keys: Integers, sizes: Integers, *, key_count: int, members: Mask | None = None
) -> tuple[U64, U64]:
    """(counts, bytes) of the members (default: all) by key, u64[key_count] each; sums are exact.

    `keys` u32 below key_count, `sizes` u32 or u64, parallel. np.bincount would copy both to 8 bytes an item.
    """
    keys = column(keys, np.uint32, "keys")
    counts = np.empty(key_count, np.uint64)
    size_sums = np.empty(key_count, np.uint64)
    _native.census(
        keys, sizes_column(sizes, len(keys)), mask_column(members, "members", len(keys)), counts, size_sums
    )
    return counts, size_sums


def min_cut(
    csr: Csr,
    slot_of_ref: Integers,
    slot_costs: Integers,
    *,
    sources: Integers,
    sinks: Integers,
    skip: Mask | None = None,
    nearest_to_sinks: bool = False,
) -> SlotCut | None:
    """The cheapest set of slots whose removal leaves no path from a source to a sink.

    A slot is a group of references: `slot_of_ref` u32[m], NO = this reference cannot be cut;
    `slot_costs` u32[slots], at least 1, UNCUTTABLE. None when no cut exists (a path of uncuttable
    references, or a source that is a sink). No slots and cost 0 when nothing leads there anyway.

    Each slot becomes a node with a capacity between the sources and targets of its references. That is
    exact for a slot whose references leave one object (or enter one); cutting arbitrary groups at the
    least cost is NP-hard, and for those the cut is sufficient but `is_exact` is False.

    Of all cheapest cuts the one nearest to the sources is returned (or to the sinks): it is unique, so
    the result does not depend on the order of the search. Dinic's maximum flow (Dinitz 1970) on the
    objects that lie between, after everything joined to a source or a sink by uncuttable references
    has been merged into it. State: 13 bytes per object and, for what is left after merging, about 40
    bytes per object or slot and 32 per reference.
    """
    csr = checked(csr)
    slot_costs = column(slot_costs, np.uint32, "slot_costs")
    is_cut = np.empty(len(slot_costs), np.uint8)
    cost, is_exact = _native.min_cut(
        csr.first_ref,
        csr.targets,
        mask_column(skip, "skip", csr.reference_count),
        column(slot_of_ref, np.uint32, "slot_of_ref", csr.reference_count),
        slot_costs,
        column(sources, np.uint32, "sources"),
        column(sinks, np.uint32, "sinks"),
        nearest_to_sinks,
        is_cut,
    )
    if cost < 0:
        return None
    return SlotCut(np.flatnonzero(is_cut).astype(np.uint32), cost, is_exact)
