"""What is suggested in place of a pattern that matches nothing."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.dialects.nearest import nearest_patterns
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern

NAMES = (
    "itema",
    "itemb",
    "itemc",
    "itemd",
    "iteme",
    "itemf",
    "itemg",
    "itemh",
    "itemi",
    "itemj",
    "itemk",
    "iteml",
)


def suggested(text: str) -> list[str]:
    attributes = "; ".join(f"s -[.{name}]-> {name}; {name}: list; {name} -[0]-> x" for name in NAMES)
    graph = heap(f"module app -> m -[.S]-> s; m: module name=app; s: app.State; {attributes}")
    pattern = parse_pattern(text)
    return nearest_patterns(graph, pattern, match_pattern(graph, pattern), ())


def test_five_patterns_are_suggested():
    found = suggested("State.itemz")
    assert (len(found), set(found) <= {f"State.{name}" for name in NAMES}) == (5, True)


def test_what_is_less_alike_but_there_is_found_behind_a_dozen_that_are_not():
    found = suggested("State.itemz.deep")
    assert found and set(found) <= {f"State.{name}" for name in NAMES}


V8 = """
root -> s; s: Store; s -[.cache]-> cache -['open']-> x; cache: Map; cache -[<Point>]-> y; x: Entry; y: Entry
s -[.#own]-> x; s -[.my-key]-> x; s -[.seen]-> seen -[{}]-> x; seen: Set
s -[.list]-> list -[0]-> x; list: Array
s -[.make]-> make -[closure queue]-> x; make: Function name=make
"""


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Store.cahce", "Store.cache"),
        ("Store.cache.get('opem')", "Store.cache.get('open')"),
        ("Store.cache.get(9)", "Store.cache.get(*)"),
        ("Store.onw", "Store.#own"),
        ("Store['my-keys']", "Store['my-key']"),
        ("Store.seen.get(9)", "Store.seen.has(*)"),
        ("Store.list.items", "Store.list[*]"),
        ("Stor.cache", "Store.cache"),
    ],
)
def test_what_javascript_writes_is_suggested(asked: str, expected: str):
    graph = heap(V8, runtime="v8")
    pattern = parse_pattern(asked)
    assert expected in nearest_patterns(graph, pattern, match_pattern(graph, pattern), ())


PYTHON = """
module app.jobs -> m; m: module name=app.jobs; m -[.S]-> s; s: app.jobs.State
s -[.__dict__]-> d; d: dict; d -['table']-> t; t: dict; t -['first']-> x; x: app.jobs.Item
m -[.f]-> f; f: function name=f; f -[closure seen]-> x
"""


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("State.tabel", "State.table"),
        ("State.table['frist']", "State.table['first']"),
        ("Stat.table[*]", "State.table[*]"),
        ("app.jbos.S", "app.jobs.S"),
    ],
)
def test_what_python_writes_is_suggested(asked: str, expected: str):
    graph = heap(PYTHON)
    pattern = parse_pattern(asked)
    assert expected in nearest_patterns(graph, pattern, match_pattern(graph, pattern), ())


def test_where_nothing_is_alike_the_known_cuts_are_suggested():
    graph = heap(PYTHON)
    pattern = parse_pattern("zzzz.qqqq")
    assert nearest_patterns(graph, pattern, match_pattern(graph, pattern), ("State.table[*]",)) == [
        "State.table[*]"
    ]
