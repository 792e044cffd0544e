"""Variables of JavaScript that a scope keeps for functions that do not use them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heaps import heap
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.unused_variables import Unused, UnusedVariables

SOURCE = "function f() { return used }"
SCOPE = "s: 'system / Context'; s -[closure big]-> big; big: Array size=1000; s -[closure used]-> used"
ONE = f"root -> f; f: Function name=f at=/app.js:1; f -[.__dict__]-> s; {SCOPE}"


def unused(drawing: str, *, source: str | None = SOURCE, runtime: str = "v8") -> tuple[Unused, ...]:
    """Every function begins where the source does."""
    graph = heap(drawing, runtime=runtime)
    places = [(function, script, 1, 0) for function, (script, _) in graph.locations.items()]
    graph = replace(graph, script_places=np.array(places, np.uint32).reshape(-1, 4))
    return UnusedVariables(Heap(graph), {"/app.js": source}.get).all()


def names(drawing: str, *, source: str | None = SOURCE) -> list[str]:
    return [row.variable for row in unused(drawing, source=source)]


def test_a_variable_that_no_living_function_uses_is_told_with_what_keeps_it():
    (row,) = unused(ONE)
    assert (row.variable, row.kept_by, row.file, row.line) == ("big", ("f",), "/app.js", 1)
    assert (row.scopes, row.retained_bytes) == (1, 1000)


@pytest.mark.parametrize(
    "source", ["function f() { return used + big }", "function f() { eval(used) }", None]
)
def test_nothing_is_said_where_it_is_used_or_the_source_does_not_tell(source: str | None):
    assert "big" not in names(ONE, source=source)


@pytest.mark.parametrize(
    "holder",
    [
        "root -> s",
        "root -> o; o: Object; o -[.x]-> s",
        "root -> g; g: Function name=g; g -[.__dict__]-> s",
    ],
)
def test_nothing_is_said_where_something_else_has_the_scope(holder: str):
    assert names(f"{ONE}; {holder}") == []


def test_a_function_under_way_has_its_scope():
    way = "root -> gen; gen: Generator; gen -[slot [[GeneratorFunction]]]-> f; gen -[.x]-> s"
    assert names(f"{ONE}; {way}") == ["big"]


def test_what_others_keep_as_well_would_not_go():
    assert names(f"{ONE}; root -> o; o: Object; o -[.x]-> big") == []


@pytest.mark.parametrize("variable", ["this", "arguments", "0", "my-key"])
def test_what_is_no_name_of_a_variable_is_not_told(variable: str):
    assert names(ONE.replace("closure big", f"closure {variable}")) == []


@pytest.mark.parametrize(("depth", "told"), [(45, ["big"]), (55, [])])
def test_scopes_within_scopes_are_followed_fifty_deep(depth: int, told: list[str]):
    inner = "; ".join(f"c{at} -[.__dict__]-> c{at + 1}; c{at}: 'system / Context'" for at in range(depth))
    drawing = ONE.replace("f -[.__dict__]-> s", f"f -[.__dict__]-> c0; {inner}; c{depth} -[.__dict__]-> s")
    assert names(f"{drawing}; c{depth}: 'system / Context'") == told


@pytest.mark.parametrize(("functions", "told"), [(1_900, ["big"]), (2_100, [])])
def test_of_a_scope_two_thousand_functions_are_looked_at(functions: int, told: list[str]):
    others = "\n".join(
        f"root -> f{at} -[.__dict__]-> s; f{at}: Function at=/app.js:1" for at in range(functions)
    )
    assert names(f"{ONE}\n{others}") == told


def test_the_twenty_thousand_scopes_that_keep_most_are_looked_at():
    scopes = "\n".join(
        f"f -[.__dict__]-> s{at} -[closure big]-> b{at}; s{at}: 'system / Context'" for at in range(20_005)
    )
    (row,) = unused(f"root -> f; f: Function name=f at=/app.js:1\n{scopes}")
    assert row.scopes == 20_000


def test_other_runtimes_have_no_such_scopes():
    assert unused(ONE, runtime="cpython") == ()
