"""Every kernel agrees with its slow twin on random graphs.

The graphs have self loops, parallel references, parts that nothing reaches, duplicate roots, and may be
empty; they are small, because that is where the odd shapes are dense.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

import twins
from asked import FULL
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.holding_sets import holding_sets
from leakscan.analysis.graph.kernels import BLOCKED, BLOCKED_ROOT, FARTHEST, NO, UNCUTTABLE
from twins import Graph


def examples(count: int) -> settings:
    """An eighth of them by default, all with LEAKSCAN_FULL=1."""
    return settings(max_examples=count if FULL else count // 8, deadline=None)


many = examples(800)


# st.randoms() prefers extreme numbers, which makes graphs with few ways through them.
evenly = st.integers(0, 2**63).map(Random)


@st.composite
def graphs(draw: st.DrawFn, *, most_objects: int = 12, most_references: int = 30) -> Graph:
    count = draw(st.integers(0, most_objects))
    if count == 0:
        return Graph(0, ())
    obj = st.integers(0, count - 1)
    references = draw(st.lists(st.tuples(obj, obj), max_size=most_references))
    return Graph(count, tuple(sorted(references, key=lambda reference: reference[0])))


@st.composite
def dense_graphs(draw: st.DrawFn) -> Graph:
    """Two to four references an object, drawn at once: what random lists seldom grow to."""
    count = draw(st.integers(4, 14))
    random = draw(evenly)
    references = [
        (random.randrange(count), random.randrange(count)) for _ in range(count * random.randint(2, 4))
    ]
    return Graph(count, tuple(sorted(references, key=lambda reference: reference[0])))


def some_of(count: int, *, most: int = 4) -> st.SearchStrategy[list[int]]:
    """Numbers below `count`, possibly repeated."""
    return st.lists(st.integers(0, count - 1), max_size=most) if count else st.just([])


def subset(count: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(0, count - 1)) if count else st.just(frozenset())


def mask(members: Collection[int], length: int) -> npt.NDArray[np.bool_]:
    result = np.zeros(length, np.bool_)
    result[list(members)] = True
    return result


def numbers(values: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def members_of(reached: npt.NDArray[np.bool_]) -> set[int]:
    return {int(obj) for obj in np.flatnonzero(reached)}


@many
@given(graphs())
def test_reversal_lists_each_incoming_reference_in_order(graph: Graph) -> None:
    back = kernels.reverse(graph.csr)
    spans = zip(back.first[:-1], back.first[1:], strict=True)
    listed = [
        list(zip(back.sources[start:end].tolist(), back.refs[start:end].tolist(), strict=True))
        for start, end in ((int(start), int(end)) for start, end in spans)
    ]
    assert listed == twins.reversed_references(graph)


@many
@given(st.data(), graphs())
def test_reachability_agrees_with_its_twin(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    barriers = data.draw(subset(graph.object_count))
    reached = kernels.reachable(
        graph.csr,
        roots=numbers(roots),
        skip=mask(skip, len(graph.references)),
        barriers=mask(barriers, graph.object_count),
    )
    assert members_of(reached) == twins.reach(graph, roots, skip=skip, barriers=barriers)


@many
@given(st.data(), graphs())
def test_what_is_reached_only_through_a_set_is_what_is_lost_without_it(
    data: st.DataObject, graph: Graph
) -> None:
    roots = data.draw(some_of(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    objects = data.draw(subset(graph.object_count))
    found = kernels.only_through(
        graph.csr,
        mask(objects, graph.object_count),
        roots=numbers(roots),
        skip=mask(skip, len(graph.references)),
    )
    lost = twins.reach(graph, roots, skip=skip) - twins.reach(graph, roots, skip=skip, without=objects)
    assert members_of(found) == lost


# Few different costs make ties; many of them, queues that wrap round and distances that saturate.
REFERENCE_COSTS = ([1, 2], [0, 1, 2], [0, 1, 1, 2, 3, 300, BLOCKED - 1, BLOCKED])
ROOT_COSTS = ([0], [0, 1, 2], [0, 0, 1, 2, 70_000, FARTHEST - 2, FARTHEST, BLOCKED_ROOT])


@examples(3000)
@given(st.data(), st.one_of(graphs(), dense_graphs()))
def test_shortest_paths_agree_with_their_twin_down_to_the_last_tie(data: st.DataObject, graph: Graph) -> None:
    cost = st.sampled_from(data.draw(st.sampled_from(REFERENCE_COSTS)))
    root_cost = st.sampled_from(data.draw(st.sampled_from(ROOT_COSTS)))
    roots = data.draw(some_of(graph.object_count, most=6))
    size = len(graph.references)
    costs = data.draw(st.lists(cost, min_size=size, max_size=size))
    root_costs = data.draw(st.lists(root_cost, min_size=len(roots), max_size=len(roots)))
    barriers = data.draw(st.one_of(st.just(frozenset[int]()), subset(graph.object_count)))
    paths = kernels.shortest_paths(
        graph.csr,
        roots=numbers(roots),
        costs=numbers(costs),
        root_costs=numbers(root_costs),
        barriers=mask(barriers, graph.object_count),
    )
    found = {
        obj: (int(paths.distance[obj]), int(paths.parent_ref[obj]), int(paths.root[obj]))
        for obj in range(graph.object_count)
        if paths.distance[obj] != NO
    }
    expected = twins.shortest_paths(graph, roots, costs=costs, root_costs=root_costs, barriers=barriers)
    assert (found, paths.reached_count) == (expected, len(expected))


@many
@given(st.data(), graphs())
def test_without_costs_every_reference_costs_one(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    plain = kernels.shortest_paths(graph.csr, roots=numbers(roots))
    spelled = kernels.shortest_paths(
        graph.csr,
        roots=numbers(roots),
        costs=np.ones(len(graph.references), np.uint16),
        root_costs=np.zeros(len(roots), np.uint32),
    )
    assert (plain.distance.tolist(), plain.parent_ref.tolist(), plain.root.tolist()) == (
        spelled.distance.tolist(),
        spelled.parent_ref.tolist(),
        spelled.root.tolist(),
    )


@many
@given(st.data(), graphs(), evenly)
def test_paths_do_not_depend_on_how_objects_are_numbered(
    data: st.DataObject, graph: Graph, random: Random
) -> None:
    size = len(graph.references)
    roots = data.draw(some_of(graph.object_count))
    costs = data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    place = data.draw(st.permutations(range(graph.object_count)))

    # The same heap laid out otherwise: each object keeps its references in their order.
    moved = sorted(range(size), key=lambda ref: (place[graph.references[ref][0]], ref))
    other = Graph(
        graph.object_count,
        tuple((place[graph.references[ref][0]], place[graph.references[ref][1]]) for ref in moved),
    )
    here = kernels.shortest_paths(graph.csr, roots=numbers(roots), costs=numbers(costs))
    there = kernels.shortest_paths(
        other.csr,
        roots=numbers([place[root] for root in roots]),
        costs=numbers([costs[ref] for ref in moved]),
    )
    back = dict(enumerate(moved)) | {NO: NO}
    assert [back[int(there.parent_ref[place[obj]])] for obj in range(graph.object_count)] == [
        int(ref) for ref in here.parent_ref
    ]


@many
@given(st.data(), st.one_of(graphs(), dense_graphs()))
def test_components_are_the_classes_of_mutual_reach(data: st.DataObject, graph: Graph) -> None:
    members = data.draw(subset(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    found = kernels.components(
        graph.csr, members=mask(members, graph.object_count), skip=mask(skip, len(graph.references))
    )
    ids = found.ids.tolist()
    classes = {frozenset(obj for obj in members if ids[obj] == number) for number in range(found.count)}
    assert classes == twins.components(graph, members, skip=skip)
    assert {obj for obj in range(graph.object_count) if ids[obj] != NO} == set(members)


@many
@given(st.data(), graphs())
def test_components_are_numbered_from_the_leaves_up(data: st.DataObject, graph: Graph) -> None:
    skip = data.draw(subset(len(graph.references)))
    ids = kernels.components(graph.csr, skip=mask(skip, len(graph.references))).ids
    assert all(
        ids[source] >= ids[target] for ref, (source, target) in enumerate(graph.references) if ref not in skip
    )


@examples(3000)
@given(st.data(), st.one_of(graphs(), dense_graphs()))
def test_dominators_agree_with_removing_each_object(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    tree = kernels.dominators(graph.csr, roots=numbers(roots), skip=mask(skip, len(graph.references)))
    found = {obj: int(tree.idom[obj]) for obj in range(graph.object_count) if tree.idom[obj] != NO}
    assert found == twins.dominators(graph, roots, skip=skip)


@many
@given(st.data(), graphs())
def test_dominators_come_before_what_they_dominate(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    tree = kernels.dominators(graph.csr, roots=numbers(roots))
    place = {graph.object_count: -1, **{int(obj): at for at, obj in enumerate(tree.order)}}
    assert set(place) - {graph.object_count} == twins.reach(graph, roots)
    assert all(place[int(tree.idom[obj])] < place[int(obj)] for obj in tree.order)


@many
@given(st.data(), graphs())
def test_a_retained_size_is_what_removing_the_object_frees(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    size = st.integers(0, 2**40) if data.draw(st.booleans()) else st.integers(0, 100)
    sizes = data.draw(st.lists(size, min_size=graph.object_count, max_size=graph.object_count))
    dtype = np.uint32 if max(sizes, default=0) < 2**32 else np.uint64
    tree = kernels.dominators(graph.csr, roots=numbers(roots))
    retained = tree.retained_sizes(np.array(sizes, dtype))
    expected = twins.retained_sizes(graph, roots, sizes)
    assert {obj: int(retained[obj]) for obj in expected} == expected
    assert int(retained[-1]) == sum(sizes[obj] for obj in expected)
    assert all(retained[obj] == 0 for obj in range(graph.object_count) if obj not in expected)


@many
@given(st.data(), graphs())
def test_children_of_the_dominator_tree_are_its_edges_downwards(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    tree = kernels.dominators(graph.csr, roots=numbers(roots))
    down = tree.children()
    found = {
        (int(parent), int(child))
        for parent in range(graph.object_count + 1)
        for child in down.targets[int(down.first_ref[parent]) : int(down.first_ref[parent + 1])]
    }
    assert found == {(parent, child) for child, parent in twins.dominators(graph, roots).items()}


@examples(1500)
@given(st.data(), st.one_of(graphs(), dense_graphs()))
def test_owners_agree_with_their_twin(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    members = data.draw(subset(graph.object_count))
    groups = {obj: data.draw(st.integers(0, 2)) for obj in sorted(members)}
    found = kernels.owners(
        graph.csr,
        numbers([groups.get(obj, NO) for obj in range(graph.object_count)]),
        roots=numbers(roots),
        skip=mask(skip, len(graph.references)),
    )
    assert found.tolist() == twins.owners(graph, groups, roots, skip=skip)


@many
@given(st.data(), graphs())
def test_references_are_counted_by_target(data: st.DataObject, graph: Graph) -> None:
    counted = data.draw(subset(len(graph.references)))
    found = kernels.count_in_references(graph.csr, counted=mask(counted, len(graph.references)))
    incoming = twins.reversed_references(graph)
    assert found.tolist() == [sum(ref in counted for _, ref in refs) for refs in incoming]


@examples(1500)
@given(st.data(), graphs())
def test_the_collectors_arithmetic_agrees_with_its_twin(data: st.DataObject, graph: Graph) -> None:
    roots = data.draw(some_of(graph.object_count))
    skip = data.draw(subset(len(graph.references)))
    uncounted = data.draw(subset(len(roots)))
    size = graph.object_count
    count = st.one_of(st.integers(0, 5), st.just(NO))
    refcounts = data.draw(st.lists(count, min_size=size, max_size=size))
    view = kernels.collector_reachability(
        graph.csr,
        numbers(refcounts),
        roots=numbers(roots),
        skip=mask(skip, len(graph.references)),
        uncounted_roots=mask(uncounted, len(roots)),
    )
    expected = twins.collector_view(graph, refcounts, roots, skip=skip, uncounted_roots=uncounted)
    assert (view.external.tolist(), view.state.tolist(), view.overcounted) == expected


@many
@given(st.data())
def test_a_census_counts_and_sums_the_members_by_key(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**33), st.booleans())))
    dtype = np.uint64 if any(size >= 2**32 for _, size, _ in rows) else np.uint32
    counts, sums = kernels.census(
        numbers([key for key, _, _ in rows]),
        np.array([size for _, size, _ in rows], dtype),
        key_count=4,
        members=np.array([member for _, _, member in rows], np.bool_),
    )
    chosen = [[size for key, size, member in rows if member and key == wanted] for wanted in range(4)]
    assert counts.tolist() == [len(sizes) for sizes in chosen]
    assert sums.tolist() == [sum(sizes) for sizes in chosen]


Problem = tuple[Graph, list[int], list[int], list[int], list[int]]
"""Graph, slot of each reference, slot costs, sources, sinks."""
MOST_SLOTS = 8
"""The twin tries all sets of them."""


@st.composite
def cut_problems(draw: st.DrawFn, *, one_source: bool) -> Problem:
    """Dense enough that ways from the sources to the sinks exist, and share slots."""
    random = draw(evenly)
    count = random.randint(4, 8)
    ends = [
        (random.randrange(count), random.randrange(count)) for _ in range(random.randint(count, 3 * count))
    ]
    graph = Graph(count, tuple(sorted(ends, key=lambda reference: reference[0])))
    # A slot of one source is one of its two: some sources have several slots, some slots several targets.
    groups = [
        (source if one_source else 0, random.randrange(2 if one_source else 5))
        for source, _ in graph.references
    ]
    numbering: dict[tuple[int, int], int] = {}
    for group in random.sample(groups, len(groups)):
        if len(numbering) < MOST_SLOTS:
            numbering.setdefault(group, len(numbering))
    slots = [numbering.get(group, NO) if random.random() < 0.96 else NO for group in groups]
    costs = [random.choice([*[1] * 8, *[2] * 4, *[3] * 3, UNCUTTABLE]) for _ in numbering]
    if random.random() < 0.1:
        return graph, slots, costs, [0, count - 1], [count - 1]
    return graph, slots, costs, [0, 1][: random.randint(1, 2)], [count - 1, count - 2][: random.randint(1, 2)]


@examples(1500)
@given(cut_problems(one_source=True), st.booleans())
def test_a_cut_of_slots_with_one_source_is_the_cheapest_and_the_nearest(
    problem: Problem, nearest_to_sinks: bool
) -> None:
    graph, slots, costs, sources, sinks = problem
    found = kernels.min_cut(
        graph.csr,
        numbers(slots),
        numbers(costs),
        sources=numbers(sources),
        sinks=numbers(sinks),
        nearest_to_sinks=nearest_to_sinks,
    )
    expected = twins.cheapest_cuts(graph, slots, costs, sources, sinks)
    assert (found is None) == (expected is None)
    if found is None or expected is None:
        return
    cost, cuts = expected

    def connected_to_sources(cut: frozenset[int]) -> set[int]:
        return twins.reach(graph, sources, skip=twins.removed_by(slots, cut, ()))

    def connected_to_sinks(cut: frozenset[int]) -> set[int]:
        removed = twins.removed_by(slots, cut, ())
        return {
            obj for obj in range(graph.object_count) if twins.reach(graph, [obj], skip=removed) & set(sinks)
        }

    nearest = twins.nearest_cut(cuts, connected_to_sinks if nearest_to_sinks else connected_to_sources)
    assert (found.cost, found.is_exact, frozenset(found.slots.tolist())) == (cost, True, nearest)


@examples(1500)
@given(st.data(), cut_problems(one_source=False), st.booleans())
def test_a_cut_of_any_slots_separates_and_is_the_cheapest_when_it_says_so(
    data: st.DataObject,
    problem: Problem,
    nearest_to_sinks: bool,
) -> None:
    graph, slots, costs, sources, sinks = problem
    skip = data.draw(subset(len(graph.references)))
    found = kernels.min_cut(
        graph.csr,
        numbers(slots),
        numbers(costs),
        sources=numbers(sources),
        sinks=numbers(sinks),
        skip=mask(skip, len(graph.references)),
        nearest_to_sinks=nearest_to_sinks,
    )
    expected = twins.cheapest_cuts(graph, slots, costs, sources, sinks, skip=skip)
    assert (found is None) == (expected is None)
    if found is None or expected is None:
        return
    assert twins.separates(graph, slots, found.slots.tolist(), sources, sinks, skip=skip)
    assert found.cost == sum(costs[slot] for slot in found.slots)
    assert found.cost == expected[0] if found.is_exact else found.cost >= expected[0]


@examples(1200)
@given(st.integers(4, 30), st.integers(1, 5), evenly)
def test_a_cut_of_single_references_costs_as_many_as_there_are_separate_ways(
    count: int, per_object: int, random: Random
) -> None:
    references = [(random.randrange(count), random.randrange(count)) for _ in range(count * per_object)]
    graph = Graph(count, tuple(sorted(references, key=lambda reference: reference[0])))
    size = len(graph.references)
    cut = kernels.min_cut(
        graph.csr, np.arange(size), np.ones(size, np.uint32), sources=numbers([0]), sinks=numbers([count - 1])
    )
    assert cut is not None
    assert cut.cost == len(cut.slots) == twins.disjoint_ways(graph, 0, count - 1)
    assert twins.separates(graph, range(size), cut.slots.tolist(), [0], [count - 1])


@many
@given(st.one_of(graphs(), dense_graphs()), st.data())
def test_the_sets_of_slots_that_hold_each_object_are_what_reachability_says(
    graph: Graph, data: st.DataObject
) -> None:
    count = graph.object_count
    entry = st.tuples(st.integers(0, max(0, count - 1)), st.integers(0, 5))
    entries = data.draw(st.lists(entry, max_size=8 if count else 0))
    found = holding_sets(
        graph.csr,
        entry_objects=numbers([obj for obj, _ in entries]),
        entry_slots=numbers([slot for _, slot in entries]),
        slot_count=6,
    )
    sets = [frozenset(found.slots_of(number).tolist()) for number in found.set_of.tolist()]
    assert sets == twins.holding_sets(graph, entries)
    assert found.is_whole and len({*sets}) == len({*found.set_of.tolist()})


@many
@given(dense_graphs(), st.data())
def test_a_limit_on_sets_leaves_out_and_never_invents(graph: Graph, data: st.DataObject) -> None:
    entry = st.tuples(st.integers(0, graph.object_count - 1), st.integers(0, 5))
    entries = data.draw(st.lists(entry, min_size=3, max_size=8))
    found = holding_sets(
        graph.csr,
        entry_objects=numbers([obj for obj, _ in entries]),
        entry_slots=numbers([slot for _, slot in entries]),
        slot_count=6,
        most_sets=2,
    )
    truth = twins.holding_sets(graph, entries)
    told = [number for number in range(graph.object_count) if int(found.set_of[number]) != NO]
    assert [frozenset(found.slots_of(int(found.set_of[obj])).tolist()) for obj in told] == [
        truth[obj] for obj in told
    ]
    assert found.is_whole == (len(told) == graph.object_count)
