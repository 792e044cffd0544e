"""How the objects of one snapshot are reached, and where old objects lead to new ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leakscan.analysis.births.survivors import Mask, Survivors
from leakscan.analysis.dialects.handles_v8 import handle_names
from leakscan.analysis.dialects.numbered import numbered_names
from leakscan.analysis.graph import costs, kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.kernels import BLOCKED, BLOCKED_ROOT, NO, Csr, ShortestPaths
from leakscan.analysis.graph.modules import Modules, find_modules
from leakscan.analysis.graph.refs import distinct, sources_of
from leakscan.heap.graph import U16, U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind, ObjectFlag, RootKind


@dataclass(frozen=True)
class Reach:
    """Cheapest paths from the roots to every object of a snapshot.

    `costs` u16[m] are the references' costs; entering a new object from an old one is dear, so that a
    path does it once. The `root_` columns go with the roots of `paths`: those of the snapshot, then the
    objects held from C. `frontier` are the references from old objects that are
    reached to new ones, `inner` those between new objects, both ascending, dead ends left out.
    """

    graph: HeapGraph
    survivors: Survivors
    life: Liveness
    modules: Modules
    costs: U16
    paths: ShortestPaths
    root_targets: U32
    root_costs: U32
    root_kinds: tuple[int, ...]
    root_labels: tuple[str, ...]
    frontier: U32
    frontier_sources: U32
    inner: U32
    inner_sources: U32

    @cached_property
    def is_held(self) -> Mask:
        """New objects that something keeps alive: survivors proper."""
        return np.asarray(self.survivors.is_new & (self.paths.distance != NO))

    @cached_property
    def is_namespace(self) -> Mask:
        """Modules, and dicts that are the `__dict__` of something: their keys are names, not data."""
        graph = self.graph
        found = np.zeros(graph.object_count, np.bool_)
        found[graph.ref_targets[(graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.DICT]] = True
        found[self.modules.objects] = True
        return found

    @cached_property
    def handles(self) -> dict[int, str]:
        """Rows of the root table that Node has open, by what they are called."""
        return handle_names(self.graph)

    @cached_property
    def numbered(self) -> dict[int, str]:
        """Counted names under which old objects hold new ones: number of the string to `name_*`.

        None in V8, where any object is a map for those who want one: all new names of it are entries.
        """
        if self.graph.runtime == "v8":
            return {}
        return numbered_names(self.graph, self.frontier, self.frontier_sources, self.is_namespace)


def explore(graph: HeapGraph, survivors: Survivors, life: Liveness) -> Reach:
    """Searches the snapshot once from its roots; what only a count held from C keeps alive comes last."""
    modules = find_modules(graph)
    prices = costs.reference_costs(graph, modules)
    is_new = survivors.is_new
    into_new = np.flatnonzero(is_new[graph.ref_targets] & (prices < BLOCKED)).astype(np.uint32)
    sources = sources_of(graph, into_new)
    is_entry = ~is_new[sources]
    entries = into_new[is_entry]
    prices[entries] = np.minimum(prices[entries].astype(np.uint32) + costs.ENTER_NEW, BLOCKED - 1).astype(
        np.uint16
    )
    c_held = _roots_in_c(graph, life)
    c_held_rows = zip(c_held.tolist(), np.isin(c_held, life.blockers).tolist(), strict=True)
    root_targets = np.concatenate((graph.roots.targets, c_held))
    root_costs = np.concatenate(
        (costs.root_costs(graph, modules), np.full(len(c_held), costs.HELD_FROM_C_COST, np.uint32))
    )
    if graph.runtime == "v8":
        # Handles of C++ lead to whatever is open: a map of connections in the program is the better answer.
        into_new_root = is_new[root_targets] & (root_costs < BLOCKED_ROOT)
        root_costs = root_costs + into_new_root.astype(np.uint32) * np.uint32(costs.ENTER_NEW)
    paths = kernels.shortest_paths(
        Csr(graph.first_ref, graph.ref_targets), roots=root_targets, costs=prices, root_costs=root_costs
    )
    reached = paths.distance[sources] != NO
    frontier, inner = reached & is_entry, reached & ~is_entry
    labels = [graph.strings[number] for number in graph.roots.labels.tolist()]
    beyond = [_beyond_the_roots(graph, obj, is_blocker) for obj, is_blocker in c_held_rows]
    return Reach(
        graph,
        survivors,
        life,
        modules,
        prices,
        paths,
        root_targets,
        root_costs,
        (*graph.roots.kinds.tolist(), *(int(kind) for kind, _ in beyond)),
        (*labels, *(label for _, label in beyond)),
        into_new[frontier],
        sources[frontier],
        into_new[inner],
        sources[inner],
    )


def _beyond_the_roots(graph: HeapGraph, obj: int, is_blocker: bool) -> tuple[RootKind, str]:
    """Kind and label of what keeps an object alive that no root leads to."""
    if is_blocker:
        return RootKind.UNCOLLECTED_CYCLE, f"cycle through {graph.type_name(obj)}"
    return RootKind.HELD_FROM_C, "held from C"


def _roots_in_c(graph: HeapGraph, life: Liveness) -> U32:
    """Objects that no root reaches and whose counts are not explained by what was seen."""
    own = (graph.flags[life.anchors] & np.uint8(ObjectFlag.OWN)) != 0
    unexplained = life.state[life.anchors] == kernels.HELD_FROM_C
    return np.asarray(life.anchors[unexplained & ~own], np.uint32)


@dataclass(frozen=True)
class NewGraph:
    """The held new objects as a graph of their own, numbered 0..k-1 in the order of `objects`.

    `refs[e]` is the number in the snapshot of the subgraph's reference e, `entries` are the new
    objects that roots or old objects lead to, `local` maps snapshot numbers to these (NO: not here).
    `root_rows` are rows of `Reach.root_targets` that lead to a new object directly, `rooted` those objects.
    """

    objects: U32
    csr: Csr
    refs: U32
    entries: U32
    local: U32
    root_rows: U32
    rooted: U32

    @cached_property
    def backward(self) -> kernels.Reversed:
        return kernels.reverse(self.csr)


def new_graph(reach: Reach) -> NewGraph:
    """Cuts the held new objects out of the snapshot."""
    graph = reach.graph
    objects = np.flatnonzero(reach.is_held).astype(np.uint32)
    local = np.full(graph.object_count, NO, np.uint32)
    local[objects] = np.arange(len(objects), dtype=np.uint32)
    first = np.zeros(len(objects) + 1, np.uint64)
    np.cumsum(np.bincount(local[reach.inner_sources], minlength=len(objects)), out=first[1:])
    csr = Csr(first, local[graph.ref_targets[reach.inner]])
    used = reach.root_costs != BLOCKED_ROOT
    candidates = np.flatnonzero(used & reach.is_held[reach.root_targets]).astype(np.uint32)
    # A module that is known under two names is one reason, by its cheapest root.
    order = candidates[np.lexsort((candidates, reach.root_costs[candidates]))]
    _, first_of_target = np.unique(reach.root_targets[order], return_index=True)
    root_rows = np.sort(order[first_of_target])
    rooted = local[reach.root_targets[root_rows]]
    entries = distinct(np.concatenate((local[graph.ref_targets[reach.frontier]], rooted)))
    return NewGraph(objects, csr, reach.inner, entries[entries != NO], local, root_rows, rooted)
