"""The shapes that make graph algorithms overflow the stack or turn quadratic, at 200 000 objects.

With LEAKSCAN_FULL=1 at 2 000 000. Nothing is timed: an algorithm that is quadratic here does 10^10 steps
and does not come back, one that recurses kills the process, and the results are known in closed form.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asked import FULL
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO, Csr

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import kernel_shapes
from kernel_shapes import Shape

SIZE = 2_000_000 if FULL else 200_000
every_shape = pytest.mark.parametrize("draw", kernel_shapes.HARD_SHAPES, ids=lambda draw: draw.__name__)
Drawing = Callable[[int], Shape]


@every_shape
def test_everything_is_reached(draw: Drawing) -> None:
    shape = draw(SIZE)
    paths = kernels.shortest_paths(shape.csr, roots=shape.roots)
    reached = kernels.reachable(shape.csr, roots=shape.roots)
    assert (paths.reached_count, int(reached.sum())) == (shape.csr.object_count, shape.csr.object_count)


@every_shape
def test_random_costs_give_distances_that_no_reference_improves(draw: Drawing) -> None:
    shape = draw(SIZE)
    costs = np.random.default_rng(7).integers(0, 60_000, shape.csr.reference_count).astype(np.uint16)
    paths = kernels.shortest_paths(shape.csr, roots=shape.roots, costs=costs)
    distance = paths.distance.astype(np.uint64)
    sources = np.repeat(np.arange(shape.csr.object_count), np.diff(shape.csr.first_ref).astype(np.int64))
    offered = np.minimum(distance[sources] + costs, kernels.FARTHEST)
    by_path = paths.parent_ref != NO
    assert bool((distance[shape.csr.targets] <= offered).all())
    assert bool((offered[paths.parent_ref[by_path]] == distance[by_path]).all())


@every_shape
def test_reversing_twice_gives_the_references_back(draw: Drawing) -> None:
    shape = draw(SIZE)
    back = kernels.reverse(shape.csr)
    again = kernels.reverse(back.csr)
    assert bool((again.first == shape.csr.first_ref).all())
    assert sorted_targets(again.csr) == sorted_targets(shape.csr)


def sorted_targets(csr: Csr) -> bytes:
    """The targets of each object in ascending order."""
    sources = np.repeat(np.arange(csr.object_count, dtype=np.uint64), np.diff(csr.first_ref).astype(np.int64))
    return np.sort(sources << np.uint64(32) | csr.targets).tobytes()


@every_shape
def test_the_total_is_retained_by_the_roots(draw: Drawing) -> None:
    shape = draw(SIZE)
    tree = kernels.dominators(shape.csr, roots=shape.roots)
    sizes = np.full(shape.csr.object_count, 3, np.uint32)
    retained = tree.retained_sizes(sizes)
    below_roots = retained[:-1][tree.idom == shape.csr.object_count]
    assert int(retained[-1]) == int(below_roots.sum()) == 3 * shape.csr.object_count


def idoms(shape: Shape) -> list[int]:
    return kernels.dominators(shape.csr, roots=shape.roots).idom.tolist()


def test_each_link_of_a_chain_dominates_the_next() -> None:
    assert idoms(kernel_shapes.chain(SIZE)) == [SIZE, *range(SIZE - 1)]


def test_nothing_dominates_inside_a_doubly_linked_list_held_at_both_ends() -> None:
    assert idoms(kernel_shapes.doubly_linked(SIZE)) == [SIZE] * SIZE


def test_each_link_of_a_comb_dominates_its_payload() -> None:
    half = SIZE // 2
    assert idoms(kernel_shapes.comb(SIZE)) == [SIZE, *range(half - 1), *range(half)]


def test_a_payload_that_is_also_held_elsewhere_is_not_dominated_by_its_link() -> None:
    shape = kernel_shapes.shared_comb(SIZE)
    half, root = shape.csr.object_count // 2, shape.csr.object_count
    assert idoms(shape) == [root, *range(half - 1), *[root] * half, root]


def test_the_first_object_of_a_ladder_dominates_only_what_has_no_second_way() -> None:
    half = SIZE // 2
    found = idoms(kernel_shapes.ladder(SIZE))
    # The right chain runs backwards, so the way down to each rung is the left chain alone.
    assert found == [SIZE, *range(half - 1), *range(half)]


def test_the_entry_of_a_clique_dominates_the_rest_of_it() -> None:
    found = idoms(kernel_shapes.cliques(SIZE))
    entries = range(0, SIZE, 8)
    expected = []
    for entry in entries:
        expected += [entry - 8 if entry else SIZE, *[entry] * 7]
    assert found == expected


@every_shape
def test_cycles_are_one_component_and_chains_are_none(draw: Drawing) -> None:
    shape = draw(SIZE)
    n = shape.csr.object_count
    acyclic = {"chain": n, "comb": n, "comb, payloads shared": n}
    assert kernels.components(shape.csr).count == acyclic.get(shape.name, 1)


@every_shape
def test_a_cycle_that_only_references_itself_is_garbage(draw: Drawing) -> None:
    shape = draw(SIZE)
    counts = kernels.count_in_references(shape.csr)
    view = kernels.collector_reachability(shape.csr, counts, roots=np.zeros(0, np.uint32))
    assert set(view.state.tolist()) == {kernels.GARBAGE}


@every_shape
def test_one_count_from_c_at_the_root_holds_everything(draw: Drawing) -> None:
    shape = draw(SIZE)
    counts = kernels.count_in_references(shape.csr)
    counts[shape.roots] += np.uint32(1)
    view = kernels.collector_reachability(shape.csr, counts, roots=np.zeros(0, np.uint32))
    assert set(view.state.tolist()) == {kernels.HELD_FROM_C}


@every_shape
def test_owners_add_up_to_the_whole(draw: Drawing) -> None:
    shape = draw(SIZE)
    n = shape.csr.object_count
    groups = np.full(n, NO, np.uint32)
    groups[::1000] = np.arange(len(groups[::1000])) % 7
    owner = kernels.owners(shape.csr, groups, roots=shape.roots)
    counts, _ = kernels.census(
        np.where(owner >= kernels.SHARED, np.uint32(NO) - owner + np.uint32(7), owner),
        np.ones(n, np.uint32),
        key_count=10,
    )
    assert (int(counts.sum()), int(counts[7])) == (n, 0)


@every_shape
@pytest.mark.parametrize("nearest_to_sinks", [False, True])
def test_a_cut_across_the_whole_shape_is_found(draw: Drawing, nearest_to_sinks: bool) -> None:
    shape = draw(SIZE)
    n, m = shape.csr.object_count, shape.csr.reference_count
    sources = np.repeat(np.arange(n, dtype=np.uint32), np.diff(shape.csr.first_ref).astype(np.int64))
    # Every object's references are one slot: the cut is the smallest set of objects that separates.
    sink = np.array([n // 2 - 1], np.uint32)
    cut = kernels.min_cut(
        shape.csr,
        sources,
        np.ones(n, np.uint32),
        sources=shape.roots[:1],
        sinks=sink,
        nearest_to_sinks=nearest_to_sinks,
    )
    assert cut is not None
    assert (cut.cost, cut.is_exact, len(cut.slots), m == len(sources)) == (1, True, 1, True)
    removed = np.isin(sources, cut.slots)
    assert not kernels.reachable(shape.csr, roots=shape.roots[:1], skip=removed)[sink[0]]


def test_many_ways_of_many_lengths_are_all_cut() -> None:
    # Way i is a chain of i links, each link a slot of its own, so that each length needs a phase.
    ways = 600
    lengths = np.arange(1, ways + 1)
    n = int(lengths.sum()) + 2
    firsts = 2 + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    lasts = firsts + lengths - 1
    inner = np.setdiff1d(np.arange(2, n), lasts)
    sources = np.concatenate([np.zeros(ways, np.int64), inner, lasts])
    targets = np.concatenate([firsts, inner + 1, np.ones(ways, np.int64)])
    csr = kernel_shapes.csr_of(n, sources, targets)
    slots = np.arange(csr.reference_count, dtype=np.uint32)
    cut = kernels.min_cut(
        csr,
        slots,
        np.ones(len(slots), np.uint32),
        sources=np.array([0]),
        sinks=np.array([1]),
    )
    assert cut is not None
    assert (cut.cost, cut.slots.tolist()) == (ways, list(range(ways)))
