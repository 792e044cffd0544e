"""Steps of a cut that read like a call stand for the references that the call would remove."""

from __future__ import annotations

import numpy as np
import pytest

from heaps import DrawnHeap, heap
from leakscan.analysis.dialects.patterns_v8 import call_refs, with_folded
from leakscan.analysis.dialects.slots_v8 import PROMISE_STATES, REACTION
from leakscan.analysis.graph.refs import refs_from


def reached(graph: DrawnHeap, source: str, text: str) -> list[str]:
    """Names of what the references lead to that the call on `source` stands for."""
    refs = call_refs(graph, refs_from(graph, np.array([graph[source]], np.uint32)), text)
    return sorted(graph.spell(graph.ref_targets[refs].tolist()))


MAP = """
root -> map; map: Map
map -['run-1']-> one; map -['<symbol id>']-> two; map -['Shop']-> three; map -['it's']-> four
map -[.size]-> other; map -[{}]-> member, point; point: Point
"""


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (".get('run-1')", ["one"]),
        (".get(*)", ["four", "one", "three", "two"]),
        (".get(Symbol(id))", ["two"]),
        (".get(<Shop>)", ["three"]),
        (".get('it's')", ["four"]),
        (".get('run-2')", []),
        (".has(*)", ["member", "point"]),
        (".has(<Point>)", ["point"]),
        (".delete('run-1')", []),
        ("get('run-1')", []),
        (".size", []),
    ],
)
def test_entries_are_named_by_the_call_that_reads_them(call: str, names: list[str]):
    assert reached(heap(MAP), "map", call) == names


BUS = """
root -> bus; bus -[._events]-> events
events -[.data]-> single; single: Function
events -[.end]-> several; several: Array; several -[0]-> first; several -[1]-> second
events -[.__proto__]-> nothing; nothing: Object
"""


@pytest.mark.parametrize("method", ["on", "once"])
@pytest.mark.parametrize(
    ("event", "names"), [("'data'", ["single"]), ("'end'", ["first", "second"]), ("'__proto__'", [])]
)
def test_listeners_are_one_function_or_an_array_of_them(method: str, event: str, names: list[str]):
    assert reached(heap(BUS), "bus", f".{method}({event})") == names


def test_listeners_of_an_event_target_are_in_its_table():
    graph = heap(
        "root -> signal; signal -[.<symbol kEvents>]-> table\ntable -['abort']-> a; table -['x']-> b"
    )
    assert reached(graph, "signal", ".addEventListener('abort')") == ["a"]


@pytest.mark.parametrize("state", PROMISE_STATES)
def test_then_is_what_waits_for_a_promise(state: str):
    graph = heap(
        f"root -> p; p -[slot {state}]-> r; r: '{REACTION}'; p -[.x]-> z\n"
        f"p -[slot other]-> q; q: '{REACTION}'"
    )
    assert reached(graph, "p", ".then(*)") == ["r"]


def test_scopes_and_backing_stores_that_nobody_writes_are_folded():
    graph = heap("root -> a; a -[.__dict__]-> b; b -[.__dict__]-> c; c -[.x]-> d; c -[.__dict__]-> a")
    assert graph.spell(with_folded(graph, np.array([graph["a"]], np.uint32)).tolist()) == ["a", "b", "c"]
