"""Garbage and cycles: what only the collector is missing for, and what it can never free."""

from __future__ import annotations

import numpy as np

from drawn_runs import Analysed
from heaps import DrawnHeap, heap
from leakscan.analysis.graph.garbage import find_cycles, find_garbage
from leakscan.analysis.results.findings import CycleFinding


def cycles(text: str) -> tuple[CycleFinding, ...]:
    run = Analysed(heap(text))
    return find_cycles(run.graph, run.life, run.is_new)


def held_from_c(graph: DrawnHeap) -> list[str]:
    return graph.spell(np.flatnonzero(Analysed(graph).life.is_held_from_c))


def test_a_cycle_that_nothing_holds_is_garbage():
    graph = heap("root -> a; x -> y; y -> x -> z")
    garbage = find_garbage(Analysed(graph).life)
    assert graph.spell(np.flatnonzero(garbage.collectable)) == ["x", "y", "z"]


def test_a_cycle_held_from_outside_is_not_garbage():
    found = cycles("root -> holder -> x -> y -> x; x: app.Node birth=1 size=4; y: app.Leaf birth=1 size=6")
    assert found == (CycleFinding(("app.Leaf", "app.Node"), 2, 10, is_garbage=False),)


def test_cycles_of_one_shape_are_one_row():
    pairs = "; ".join(
        f"a{i} -> b{i} -> a{i}; a{i}: app.A birth={i}; b{i}: app.B birth={i}" for i in range(1, 21)
    )
    found = cycles(pairs)
    assert [(row.type_names, row.cycle_count, row.object_count, row.is_garbage) for row in found] == [
        (("app.A", "app.B"), 20, 40, True)
    ]


def test_a_cycle_through_a_type_that_takes_no_part_in_collection_is_told_apart():
    graph = heap("""
        root -> other
        x: app.Node birth=1; e: ext.Element birth=1
        type ext.Element flags=none
        x -> e -> x
    """)
    run = Analysed(graph)
    assert [
        (row.is_garbage, row.through_uncollected_type) for row in find_cycles(graph, run.life, run.is_new)
    ] == [(False, "ext.Element")]
    assert graph.spell(np.flatnonzero(find_garbage(run.life).stuck)) == ["x", "e"]


def test_an_extension_object_that_hides_its_references_is_found_by_the_other_half_of_the_cycle():
    found = cycles("""
        root -> other
        x: app.Node birth=1 size=2 refcount=+1; e: ext.Element birth=1 size=3
        type ext.Element flags=none
        x -> e
    """)
    assert found == (
        CycleFinding(
            ("app.Node", "ext.Element"), 2, 5, is_garbage=False, through_uncollected_type="ext.Element"
        ),
    )


def test_what_such_a_cycle_holds_is_stuck_with_it():
    graph = heap("x -> e; e -> x -> cargo; p -> q -> p; e: ext.Element; type ext.Element flags=none")
    garbage = find_garbage(Analysed(graph).life)
    assert graph.spell(np.flatnonzero(garbage.stuck)) == ["x", "e", "cargo"]
    assert graph.spell(np.flatnonzero(garbage.collectable)) == ["p", "q"]


def test_an_unexplained_count_is_held_from_c():
    assert held_from_c(heap("root -> a -> b; c: app.C refcount=+1")) == ["c"]


def test_a_borrowed_reference_explains_no_count_and_keeps_nothing_alive():
    graph = heap("root -> a => b; b: app.B refcount=0")
    assert graph.spell(np.flatnonzero(Analysed(graph).life.is_live)) == ["a"]


def test_weak_references_keep_nothing_alive():
    graph = heap("root -> a -[~]-> b; b -> c -> b")
    assert graph.spell(np.flatnonzero(Analysed(graph).life.is_live)) == ["a"]


def test_survivors_without_cycles_give_no_rows():
    assert cycles("root -> a -> b; a: app.A birth=1; b: app.B birth=1") == ()
