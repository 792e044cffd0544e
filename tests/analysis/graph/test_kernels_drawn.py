"""The kernels on graphs small enough to check by eye."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from leakscan.analysis.graph import kernels
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
)
from twins import draw


def dominators(text: str, *, roots: str) -> dict[str, str]:
    graph, numbers = draw(text)
    names = [*numbers, "(root)"]
    tree = kernels.dominators(graph.csr, roots=np.array([numbers[name] for name in roots.split()]))
    return {names[obj]: names[int(tree.idom[obj])] for obj in tree.order}


def owners(text: str, *, roots: str, groups: Mapping[str, int]) -> dict[str, int]:
    graph, numbers = draw(text)
    group_of = np.array([groups.get(name, NO) for name in numbers])
    starts = np.array([numbers[name] for name in roots.split()], np.uint32)
    found = kernels.owners(graph.csr, group_of, roots=starts)
    return {name: int(found[obj]) for name, obj in numbers.items()}


def collector_states(text: str, *, counts: Mapping[str, int], roots: str) -> dict[str, int]:
    graph, numbers = draw(text)
    view = kernels.collector_reachability(
        graph.csr,
        np.array([counts[name] for name in numbers]),
        roots=np.array([numbers[name] for name in roots.split()], np.uint32),
    )
    return {name: int(view.state[obj]) for name, obj in numbers.items()}


def distances(text: str, *, roots: Mapping[str, int], costs: int = 1) -> dict[str, int]:
    """Of what is reached from these roots, each with its cost, when every reference costs the same."""
    graph, numbers = draw(text)
    paths = kernels.shortest_paths(
        graph.csr,
        roots=np.array([numbers[name] for name in roots], np.uint32),
        costs=np.full(len(graph.references), costs),
        root_costs=np.array(list(roots.values())),
    )
    return {name: int(paths.distance[obj]) for name, obj in numbers.items() if paths.distance[obj] != NO}


def cut(text: str, *, source: str, sinks: str, **options: object) -> set[str] | None:
    """The references to cut, as "source target"; each is a slot, those named in `fixed` are not."""
    graph, numbers = draw(text)
    names = list(numbers)
    labels = [f"{names[start]} {names[end]}" for start, end in graph.references]
    fixed = str(options.get("fixed", ""))
    found = kernels.min_cut(
        graph.csr,
        np.arange(len(labels)),
        np.array([UNCUTTABLE if label in fixed.split(", ") else 1 for label in labels]),
        sources=np.array([numbers[source]]),
        sinks=np.array([numbers[name] for name in sinks.split()]),
        nearest_to_sinks=bool(options.get("nearest_to_sinks", False)),
    )
    return None if found is None else {labels[slot] for slot in found.slots}


def test_a_diamond_is_dominated_by_its_top() -> None:
    assert dominators("a -> b c; b -> d; c -> d", roots="a") == {"a": "(root)", "b": "a", "c": "a", "d": "a"}


def test_what_two_roots_hold_is_dominated_by_neither() -> None:
    assert dominators("a -> c; b -> c", roots="a b")["c"] == "(root)"


def test_a_cycle_entered_at_one_place_is_dominated_by_that_place() -> None:
    found = dominators("root -> a; a -> b; b -> c; c -> a", roots="root")
    assert found == {"root": "(root)", "a": "root", "b": "a", "c": "b"}


def test_what_nothing_reaches_has_no_dominator() -> None:
    assert "stray" not in dominators("a -> b; stray -> b", roots="a")


def test_the_example_of_lengauer_and_tarjan() -> None:
    text = (
        "R -> A B C; A -> D; B -> A D E; C -> F G; D -> L; E -> H; F -> I; G -> I J;"
        "H -> E K; I -> K; J -> I; K -> I R; L -> H"
    )
    found = dominators(text, roots="R")
    by_dominator = {
        name: "".join(sorted(obj for obj in found if found[obj] == name)) for name in found.values()
    }
    assert by_dominator == {"(root)": "R", "R": "ABCDEHIK", "C": "FG", "G": "J", "D": "L"}


def test_each_survivor_owns_what_only_it_holds_and_shares_the_rest() -> None:
    found = owners(
        "root -> cache one two; one -> body shared; two -> shared cache",
        roots="root",
        groups={"one": 0, "two": 1},
    )
    assert found == {"root": OUTSIDE, "cache": OUTSIDE, "one": 0, "two": 1, "body": 0, "shared": SHARED}


def test_a_survivor_inside_another_keeps_what_it_holds() -> None:
    found = owners(
        "root -> outer; outer -> inner; inner -> text", roots="root", groups={"outer": 0, "inner": 1}
    )
    assert found == {"root": OUTSIDE, "outer": 0, "inner": 1, "text": 1}


def test_what_shared_objects_hold_is_shared() -> None:
    found = owners("a -> c; b -> c; c -> d", roots="", groups={"a": 0, "b": 1})
    assert found["d"] == SHARED


def test_a_cycle_whose_counts_are_all_explained_is_garbage() -> None:
    states = collector_states(
        "root -> x; a -> b; b -> a leaf", counts={"root": 1, "x": 1, "a": 1, "b": 1, "leaf": 1}, roots="root"
    )
    assert states == {"root": REACHED, "x": REACHED, "a": GARBAGE, "b": GARBAGE, "leaf": GARBAGE}


def test_one_count_more_than_the_references_holds_all_behind_it() -> None:
    states = collector_states(
        "before -> a; a -> b; b -> a leaf", counts={"before": 0, "a": 3, "b": 1, "leaf": 1}, roots=""
    )
    assert states == {"before": GARBAGE, "a": HELD_FROM_C, "b": HELD_FROM_C, "leaf": HELD_FROM_C}


@pytest.mark.parametrize(
    ("cost", "reached"), [(BLOCKED - 1, {"a": 0, "b": BLOCKED - 1}), (BLOCKED, {"a": 0})]
)
def test_a_blocked_reference_is_on_no_path(cost: int, reached: dict[str, int]) -> None:
    assert distances("a -> b", roots={"a": 0}, costs=cost) == reached


def test_a_blocked_root_is_not_used() -> None:
    roots = {"a": BLOCKED_ROOT, "b": BLOCKED_ROOT - 2}
    assert distances("a -> c; b -> d", roots=roots) == {"b": FARTHEST - 1, "d": FARTHEST}


def test_distances_do_not_grow_beyond_the_farthest() -> None:
    assert distances("a -> b; b -> c", roots={"a": FARTHEST - 3}, costs=2) == {
        "a": FARTHEST - 3,
        "b": FARTHEST - 1,
        "c": FARTHEST,
    }


def test_an_object_held_by_two_places_needs_both_cut() -> None:
    assert cut(
        "root -> runs handlers; runs -> out; handlers -> out",
        source="root",
        sinks="out",
        nearest_to_sinks=True,
    ) == {
        "runs out",
        "handlers out",
    }


@pytest.mark.parametrize(("nearest_to_sinks", "expected"), [(False, {"root a"}), (True, {"b out"})])
def test_of_equal_cuts_the_one_at_the_chosen_end_is_taken(nearest_to_sinks: bool, expected: set[str]) -> None:
    assert (
        cut("root -> a; a -> b; b -> out", source="root", sinks="out", nearest_to_sinks=nearest_to_sinks)
        == expected
    )


def test_one_reference_above_two_is_cheaper_than_both() -> None:
    assert cut("root -> a; a -> b c; b -> x; c -> x", source="root", sinks="x", fixed="root a") == {
        "a b",
        "a c",
    }
    assert cut("root -> a; a -> b c; b -> x; c -> x", source="root", sinks="x") == {"root a"}


def test_there_is_no_cut_when_a_way_cannot_be_cut() -> None:
    assert cut("root -> a b; a -> x; b -> x", source="root", sinks="x", fixed="root a, a x") is None


def test_nothing_need_be_cut_when_nothing_leads_there() -> None:
    assert cut("root -> a; x -> a", source="root", sinks="x") == set()


def test_a_source_that_is_a_sink_cannot_be_cut_off() -> None:
    assert cut("root -> a", source="root", sinks="root a") is None
