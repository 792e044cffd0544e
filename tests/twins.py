"""Slow twins of the kernels: plain lists, dicts and sets, each written straight from the definition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from leakscan.analysis.graph.kernels import (
    BLOCKED,
    BLOCKED_ROOT,
    FARTHEST,
    GARBAGE,
    HELD_FROM_C,
    NO,
    OUTSIDE,
    REACHED,
    SHARED,
    UNCUTTABLE,
    Csr,
)


@dataclass(frozen=True)
class Graph:
    """References in CSR order: `references[r]` is (source, target), sorted by source."""

    object_count: int
    references: tuple[tuple[int, int], ...]

    @cached_property
    def csr(self) -> Csr:
        counts = np.zeros(self.object_count + 1, np.uint64)
        for source, _ in self.references:
            counts[source + 1] += np.uint64(1)
        targets = np.array([target for _, target in self.references], np.uint32)
        return Csr(np.cumsum(counts, dtype=np.uint64), targets)

    @cached_property
    def leaving(self) -> list[list[int]]:
        """Reference numbers by source, in order."""
        by_source: list[list[int]] = [[] for _ in range(self.object_count)]
        for ref, (source, _) in enumerate(self.references):
            by_source[source].append(ref)
        return by_source


def draw(text: str) -> tuple[Graph, dict[str, int]]:
    """The graph of "a -> b c; b -> d", and the numbers of its objects in order of appearance."""
    numbers: dict[str, int] = {}
    edges: list[tuple[int, int]] = []
    for clause in filter(None, (part.strip() for part in text.split(";"))):
        source, _, targets = clause.partition("->")
        for name in (source.strip(), *targets.split()):
            numbers.setdefault(name, len(numbers))
        edges += [(numbers[source.strip()], numbers[target]) for target in targets.split()]
    return Graph(len(numbers), tuple(sorted(edges, key=lambda edge: edge[0]))), numbers


def reversed_references(graph: Graph) -> list[list[tuple[int, int]]]:
    incoming: list[list[tuple[int, int]]] = [[] for _ in range(graph.object_count)]
    for ref, (source, target) in enumerate(graph.references):
        incoming[target].append((source, ref))
    return incoming


def reach(
    graph: Graph,
    roots: Iterable[int],
    *,
    skip: Collection[int] = (),
    barriers: Collection[int] = (),
    without: Collection[int] = (),
) -> set[int]:
    """Objects reached; `barriers` are not passed, `without` not even reached; `skip`: references."""
    reached = set()
    waiting = [root for root in roots if root not in without]
    while waiting:
        obj = waiting.pop()
        if obj in reached:
            continue
        reached.add(obj)
        if obj in barriers:
            continue
        waiting += [
            graph.references[ref][1]
            for ref in graph.leaving[obj]
            if ref not in skip and graph.references[ref][1] not in without
        ]
    return reached


PathKey = tuple[int, int, int, object, int]
"""(distance, hops, root, key of the last source, reference): nested, so it compares as documented."""


def shortest_paths(
    graph: Graph,
    roots: Sequence[int],
    *,
    costs: Sequence[int],
    root_costs: Sequence[int],
    barriers: Collection[int] = (),
) -> dict[int, tuple[int, int, int]]:
    """object -> (distance, parent reference, root), always settling the object with the least key."""
    found: dict[int, PathKey] = {}
    settled: dict[int, PathKey] = {}
    for index, (root, cost) in enumerate(zip(roots, root_costs, strict=True)):
        key: PathKey = (cost, 0, index, (), NO)
        if cost != BLOCKED_ROOT and (root not in found or key < found[root]):
            found[root] = key
    while found:
        source = min(found, key=lambda obj: found[obj])
        settled[source] = found.pop(source)
        distance, hops, root, _, _ = settled[source]
        for ref in () if source in barriers else graph.leaving[source]:
            target = graph.references[ref][1]
            if costs[ref] == BLOCKED or target in settled:
                continue
            key = (min(distance + costs[ref], FARTHEST), hops + 1, root, settled[source], ref)
            if target not in found or key < found[target]:
                found[target] = key
    return {obj: (key[0], key[4], key[2]) for obj, key in settled.items()}


def components(graph: Graph, members: Collection[int], *, skip: Collection[int] = ()) -> set[frozenset[int]]:
    """The classes of "reach each other within the members"."""
    others = set(range(graph.object_count)) - set(members)
    reaches = {obj: reach(graph, [obj], skip=skip, without=others) for obj in members}
    return {frozenset(other for other in reaches[obj] if obj in reaches[other]) for obj in members}


def dominators(graph: Graph, roots: Sequence[int], *, skip: Collection[int] = ()) -> dict[int, int]:
    """object -> immediate dominator (object_count = virtual root), by removing each object in turn."""
    reached = reach(graph, roots, skip=skip)
    dominated = {obj: reached - reach(graph, roots, skip=skip, without={obj}) for obj in reached}
    idom = {}
    for obj in reached:
        above = [other for other in reached if other != obj and obj in dominated[other]]
        idom[obj] = min(above, key=lambda other: len(dominated[other]), default=graph.object_count)
    return idom


def retained_sizes(
    graph: Graph, roots: Sequence[int], sizes: Sequence[int], *, skip: Collection[int] = ()
) -> dict[int, int]:
    """object -> bytes that are not reached any more once it is removed."""
    reached = reach(graph, roots, skip=skip)
    return {
        obj: sum(sizes[lost] for lost in reached - reach(graph, roots, skip=skip, without={obj}))
        for obj in reached
    }


def owners(
    graph: Graph, groups: dict[int, int], roots: Sequence[int], *, skip: Collection[int] = ()
) -> list[int]:
    """The owner of each object, from what each group reaches without passing a member."""

    def reach_unowned(starts: Iterable[int]) -> set[int]:
        first = {
            graph.references[ref][1] for start in starts for ref in graph.leaving[start] if ref not in skip
        }
        return reach(graph, first, skip=skip, without=groups)

    outside = reach(graph, roots, skip=skip, without=groups)
    reached_by = {
        group: reach_unowned([obj for obj, of in groups.items() if of == group])
        for group in set(groups.values())
    }
    result = []
    for obj in range(graph.object_count):
        holders = [group for group, reached in reached_by.items() if obj in reached]
        if obj in groups:
            result.append(groups[obj])
        elif obj in outside:
            result.append(OUTSIDE)
        elif not holders:
            result.append(NO)
        else:
            result.append(holders[0] if len(holders) == 1 else SHARED)
    return result


def collector_view(
    graph: Graph,
    refcounts: Sequence[int],
    roots: Sequence[int],
    *,
    skip: Collection[int] = (),
    uncounted_roots: Collection[int] = (),
) -> tuple[list[int], list[int], int]:
    """(external counts, states, overcounted objects)."""
    seen = [0] * graph.object_count
    for ref, (_, target) in enumerate(graph.references):
        seen[target] += ref not in skip
    for index, root in enumerate(roots):
        seen[root] += index not in uncounted_roots
    immortal = {obj for obj, count in enumerate(refcounts) if count == NO}
    external = [0 if obj in immortal else max(0, count - seen[obj]) for obj, count in enumerate(refcounts)]
    over = sum(seen[obj] > count for obj, count in enumerate(refcounts) if obj not in immortal)
    from_roots = reach(graph, roots, skip=skip)
    from_c = reach(
        graph, [obj for obj in range(graph.object_count) if external[obj] or obj in immortal], skip=skip
    )
    states = [
        REACHED if obj in from_roots else HELD_FROM_C if obj in from_c else GARBAGE
        for obj in range(graph.object_count)
    ]
    return external, states, over


def cheapest_cuts(
    graph: Graph,
    slot_of_ref: Sequence[int],
    slot_costs: Sequence[int],
    sources: Collection[int],
    sinks: Collection[int],
    *,
    skip: Collection[int] = (),
) -> tuple[int, list[frozenset[int]]] | None:
    """(cost, every cut of that cost), by trying all sets of slots; None when none separates."""
    cuttable = [slot for slot, cost in enumerate(slot_costs) if cost != UNCUTTABLE]
    found: dict[frozenset[int], int] = {}
    for size in range(len(cuttable) + 1):
        for chosen in combinations(cuttable, size):
            if separates(graph, slot_of_ref, chosen, sources, sinks, skip=skip):
                found[frozenset(chosen)] = sum(slot_costs[slot] for slot in chosen)
    if not found:
        return None
    least = min(found.values())
    return least, [cut for cut, cost in found.items() if cost == least]


def removed_by(slot_of_ref: Sequence[int], slots: Collection[int], skip: Collection[int]) -> set[int]:
    return {ref for ref, slot in enumerate(slot_of_ref) if slot in slots} | set(skip)


def separates(
    graph: Graph,
    slot_of_ref: Sequence[int],
    slots: Collection[int],
    sources: Collection[int],
    sinks: Collection[int],
    *,
    skip: Collection[int] = (),
) -> bool:
    return not reach(graph, sources, skip=removed_by(slot_of_ref, slots, skip)) & set(sinks)


def nearest_cut(cuts: list[frozenset[int]], side: Callable[[frozenset[int]], set[int]]) -> frozenset[int]:
    """The cut with the smallest `side` (what a cut leaves connected to the sources, or to the sinks)."""
    return min(cuts, key=lambda cut: len(side(cut)))


def disjoint_ways(graph: Graph, source: int, sink: int) -> int:
    """How many ways share no reference: by augmenting one way at a time (Ford and Fulkerson)."""
    used: set[int] = set()
    while True:
        # ref + 1 forwards, -(ref + 1) back over a used reference; 0 at the source.
        came_by: dict[int, int] = {source: 0}
        waiting = [source]
        while waiting and sink not in came_by:
            obj = waiting.pop(0)
            for ref, (start, end) in enumerate(graph.references):
                if start == obj and ref not in used and end not in came_by:
                    came_by[end] = ref + 1
                    waiting.append(end)
                elif end == obj and ref in used and start not in came_by:
                    came_by[start] = -(ref + 1)
                    waiting.append(start)
        if sink not in came_by:
            leaving = sum(graph.references[ref][0] == source for ref in used)
            return leaving - sum(graph.references[ref][1] == source for ref in used)
        obj = sink
        while step := came_by[obj]:
            ref = abs(step) - 1
            used ^= {ref}
            obj = graph.references[ref][0] if step > 0 else graph.references[ref][1]


def holding_sets(graph: Graph, entries: Collection[tuple[int, int]]) -> list[frozenset[int]]:
    """For each object the slots of the (object, slot) entries from which it can be reached."""
    found: list[set[int]] = [set() for _ in range(graph.object_count)]
    for obj, slot in entries:
        for reached in reach(graph, [obj]):
            found[reached].add(slot)
    return [frozenset(slots) for slots in found]
