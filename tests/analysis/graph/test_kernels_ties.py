"""Which of several paths is the shortest: each rule of the order on a graph of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from leakscan.analysis.graph import kernels
from twins import draw


def path_to(text: str, goal: str, *, roots: str, costs: Mapping[str, int] | None = None) -> list[str]:
    """The names along the path to `goal`; `costs` by "source target", 1 where nothing is said."""
    graph, numbers = draw(text)
    names = list(numbers)
    prices = [(costs or {}).get(f"{names[source]} {names[target]}", 1) for source, target in graph.references]
    starts = [numbers[name] for name in roots.split()]
    found = kernels.shortest_paths(graph.csr, roots=np.array(starts), costs=np.array(prices))
    steps = found.references_to(numbers[goal])
    return [names[starts[found.root[numbers[goal]]]], *names_of(names, graph.references, steps)]


def names_of(names: Sequence[str], references: Sequence[tuple[int, int]], steps: Sequence[int]) -> list[str]:
    return [names[references[ref][1]] for ref in steps]


def test_the_cheaper_path_wins_over_the_shorter_one() -> None:
    assert path_to("r -> goal a; a -> goal", "goal", roots="r", costs={"r goal": 3}) == ["r", "a", "goal"]


def test_of_equal_costs_the_path_with_fewer_references_wins() -> None:
    text = "r -> a goal; a -> goal"
    assert path_to(text, "goal", roots="r", costs={"r goal": 2}) == ["r", "goal"]


def test_references_that_cost_nothing_still_count_as_references() -> None:
    text = "r -> a goal; a -> goal"
    assert path_to(text, "goal", roots="r", costs=dict.fromkeys(("r a", "a goal", "r goal"), 0)) == [
        "r",
        "goal",
    ]


def test_of_as_many_references_the_root_named_first_wins_although_it_is_found_later() -> None:
    costs = {"first a": 2, "a goal": 1, "second b": 1, "b goal": 2}
    text = "second -> b; b -> goal; first -> a; a -> goal"
    assert path_to(text, "goal", roots="first second", costs=costs) == ["first", "a", "goal"]


def test_from_one_root_the_source_that_came_first_wins() -> None:
    assert path_to("goal ->; r -> x y; y -> goal; x -> goal", "goal", roots="r") == ["r", "x", "goal"]


def test_the_source_that_is_nearer_comes_first() -> None:
    costs = {"r x": 2, "x goal": 1, "r y": 1, "y goal": 2}
    assert path_to("r -> x y; x -> goal; y -> goal", "goal", roots="r", costs=costs) == ["r", "y", "goal"]


def test_a_source_reached_at_no_cost_comes_after_those_whose_own_sources_are_nearer() -> None:
    # x, far and z are pushed in this order at distance 10; y joins them, at no cost, while they are settled.
    text = "r -> x a p; a -> b; b -> far; p -> z; x -> y; y -> goal; z -> goal"
    costs = {"r x": 10, "x y": 0, "b far": 8, "r p": 5, "p z": 5}
    assert path_to(text, "goal", roots="r", costs=costs) == ["r", "p", "z", "goal"]


def test_of_parallel_references_the_first_wins() -> None:
    graph, numbers = draw("r -> a b a")
    found = kernels.shortest_paths(graph.csr, roots=np.array([numbers["r"]]))
    assert found.references_to(numbers["a"]) == [0]


def test_an_object_that_is_not_reached_has_no_path() -> None:
    graph, numbers = draw("r -> a; b -> a")
    found = kernels.shortest_paths(graph.csr, roots=np.array([numbers["r"]]))
    with pytest.raises(ValueError, match=f"object {numbers['b']} is not reached"):
        found.references_to(numbers["b"])


def test_a_barrier_is_reached_but_not_passed() -> None:
    graph, numbers = draw("r -> wall; wall -> behind")
    barriers = np.array([name == "wall" for name in numbers])
    found = kernels.shortest_paths(graph.csr, roots=np.array([numbers["r"]]), barriers=barriers)
    assert [name for name, obj in numbers.items() if found.distance[obj] != kernels.NO] == ["r", "wall"]
