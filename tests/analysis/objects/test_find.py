"""What a person types or pastes, and the objects that it means."""

from __future__ import annotations

import numpy as np
import pytest

from heaps import heap
from leakscan.analysis.objects.find import Search, find_objects, pasted, search
from leakscan.analysis.objects.heap import Heap
from leakscan.errors import UsageError

APP = """
module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict
ns -['flow']-> flow; flow: app.Workflow birth=0 size=10
flow -[._runs]-> runs; runs: dict size=30 birth=0
runs -['run-1']-> one; one: app.Run birth=1 size=100
runs -['run-2']-> two; two: app.Run birth=2 size=200
runs -[key 'run-1']-> k; k: str
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Workflow._runs", ["runs"]),
        ("app.flow._runs", ["runs"]),
        ("Workflow._runs[*]", ["one", "two"]),
        ("Workflow._runs['run-2']", ["two"]),
        ("Run", ["one", "two"]),
        ("app.Run", ["one", "two"]),
        ("app", ["m"]),
        ("  Held by  Workflow._runs  (dict, grew 0 -> 20)   app.py:31", ["runs"]),
        ("To free all 20, cut  Workflow._runs[*]  (41.2 MB)", ["one", "two"]),
        ("To free all 20 of them, cut both:  Workflow._runs[*]   alone: 0 of 20", ["one", "two"]),
        ("Workflow._runs[*]              alone: 0 of 20   app.py:3", ["one", "two"]),
        ("module app > flow: Workflow > ._runs['run-1']", ["one"]),
        ("module app", ["m"]),
    ],
)
def test_what_a_screen_prints_is_understood(text: str, found: list[str]):
    graph = heap(APP)
    assert sorted(graph.spell(find_objects(graph, text).tolist())) == found


def test_a_number_is_an_object():
    graph = heap(APP)
    assert find_objects(graph, f"#{graph['two']}").tolist() == [graph["two"]]


@pytest.mark.parametrize("text", ["#999999", "Workflo._runs", "Workflow._run", "nothing", "", "]]", "> >"])
def test_what_means_nothing_is_an_error(text: str):
    with pytest.raises(UsageError):
        find_objects(heap(APP), text)


def test_an_error_names_what_is_near():
    with pytest.raises(UsageError) as raised:
        find_objects(heap(APP), "Workflow._run[*]")
    assert "Workflow._runs" in raised.value.hint


def test_the_types_of_a_sentence_are_left_out():
    text = "module app > bus: Emitter > .handlers['a: b'][*]: function f.<locals>.g > closure `self`"
    assert pasted(text) == "app.bus.handlers['a: b'][*] closure `self`"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Search(type_name="run"), ["one", "two"]),
        (Search(type_name="Run", born_in=2), ["two"]),
        (Search(least_bytes=150, type_name="app.Run"), ["two"]),
        (Search(attribute="_runs"), ["flow"]),
        (Search(attribute="flow", type_name="module"), ["m"]),
        (Search(attribute="run-2"), ["runs"]),
        (Search(type_name="nobody"), []),
    ],
)
def test_objects_are_found_by_type_attribute_size_and_birth(asked: Search, found: list[str]):
    graph = heap(APP)
    rows = search(graph, asked, retained=Heap(graph).retained)
    assert sorted(graph.spell(rows.tolist())) == found


def test_a_search_for_nothing_in_particular_finds_everything_of_the_program():
    graph = heap(APP + "own thread s -> f; f: leakscan.F flags=own")
    rows = search(graph, Search(), retained=Heap(graph).retained)
    assert graph["f"] not in rows and len(rows) == graph.object_count - 1
    assert rows.dtype == np.uint32
