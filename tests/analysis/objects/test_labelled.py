"""What a screen printed leads to its object, also where no pattern says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heaps import heap
from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.called import find_meant, find_references
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.labelled import find_known, labelled
from leakscan.answers.paths import paths
from leakscan.errors import UsageError
from leakscan.heap.writer import write
from leakscan.report.text.inspect import holder_text

DRAWN = """
    module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict
    ns -['flow']-> flow; flow: app.Workflow; flow -[.rows]-> rows; rows: list
    rows -[0]-> first; first: app.Row; first -[~]-> hidden; hidden: app.Hidden
    rows -[1]-> second; second: function name=helper
"""


def test_every_label_of_a_heap_leads_back_to_its_object():
    graph = heap(DRAWN)
    looked = Heap(graph)
    for name in ("flow", "rows", "first", "second"):
        assert graph[name] in find_known(looked, looked.label(graph[name])).tolist()


def test_a_root_in_quotes_and_an_objects_own_name_are_understood():
    graph = heap(DRAWN)
    looked = Heap(graph)
    assert find_known(looked, "module 'app'").tolist() == [graph["m"]]
    assert find_known(looked, "helper").tolist() == [graph["second"]]
    assert find_known(looked, "type 'app.Row'").tolist() == [graph["first"]]


def test_a_label_that_nobody_has_is_an_error_and_finds_nothing():
    looked = Heap(heap(DRAWN))
    assert not len(labelled(looked, "Workflow.nobody"))
    with pytest.raises(UsageError):
        find_known(looked, "Workflow.nobody")


@pytest.mark.parametrize(
    "text", ["", " ", "<unnamed>", "]]", "[[", "'", "\x1b[31m", "a" * 5000, "(" * 300, "#"]
)
def test_nonsense_is_an_error_of_its_own(text):
    with pytest.raises(UsageError):
        find_known(Heap(heap(DRAWN)), text)


def test_every_label_is_read_from_its_last_name_or_slot_of_the_engine():
    graph = heap(
        "root -> p -[.done]-> q -[slot [[PromiseResult]]]-> v -[.list]-> l -[0]-> w; p: Job; q: Promise",
        runtime="v8",
    )
    looked = Heap(graph)
    found = [graph.spell(labelled(looked, looked.label(graph[name]))) for name in ("q", "v", "l", "w")]
    assert found == [["q"], ["v"], ["l"], ["w"]]


def test_twenty_thousand_objects_are_asked_for_their_label():
    drawing = "\n".join(f"root -> h{at} -[.x]-> v{at}; h{at}: app.H" for at in range(20_005))
    assert len(labelled(Heap(heap(drawing)), "H.x")) == 20_000


CALLED = """
    module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict
    ns -['flow']-> flow; flow: app.Workflow; flow -[~]-> hidden; hidden: app.Hidden; hidden -[0]-> row
    ns -['make']-> make; make: function name=make; make -[.__closure__]-> closure; closure: tuple
    closure -[0]-> cell; cell: cell; cell -[.cell_contents]-> row; row: app.Row
"""


def test_every_reference_is_found_as_an_objects_page_calls_it():
    graph = heap(CALLED)
    looked = Heap(graph)
    for name in ("flow", "hidden", "make", "row"):
        seen = view(looked, graph[name])
        assert seen.holders
        for each in seen.holders:
            assert graph[name] in find_meant(looked, holder_text(each)).tolist(), holder_text(each)
            refs, _ = find_references(looked, holder_text(each))
            assert each.number in refs.tolist()


def test_an_object_or_a_type_means_all_references_that_keep_it():
    graph = heap(CALLED)
    looked = Heap(graph)
    refs, roots = find_references(looked, "Row")
    assert sorted(refs.tolist()) == np.flatnonzero(graph.ref_targets == graph["row"]).tolist()
    assert not len(roots) and len(find_references(looked, "app")[1]) == 1


def test_a_reference_that_nobody_has_is_the_error_of_its_pattern():
    with pytest.raises(UsageError, match="nobody"):
        find_references(Heap(heap(CALLED)), "flow.nobody value")


def test_the_ways_to_a_slot_are_told_where_no_type_is_called_so(tmp_path: Path):
    write(heap(DRAWN), tmp_path / "one.heap")
    (group,) = paths(tmp_path / "one.heap", "Workflow.rows").groups
    assert (group.type_name, group.count) == ("list", 1)
    with pytest.raises(UsageError, match="has a type called"):
        paths(tmp_path / "one.heap", "Workflow.nobody")


def test_what_a_type_keeps_for_itself_has_a_name_that_leads_back_unless_an_attribute_has_it():
    graph = heap("""
        module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict; ns -['Base']-> base
        base: type name=Base; base -[machinery __subclasses__]-> below; below: dict
        base -[machinery module]-> home; home: str; base -[.module]-> own; own: app.Own
    """)
    looked = Heap(graph)
    assert looked.label(graph["below"]) == "app.Base.__subclasses__"
    assert find_known(looked, "Base.__subclasses__").tolist() == [graph["below"]]
    assert find_known(looked, "Base.module").tolist() == [graph["own"]]


ITSELF = """
    module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict; ns -[key 'flow']-> key; key: str
    ns -['flow']-> flow; flow: app.Flow; flow -[.__dict__]-> own; own: dict; own -['rows']-> rows; rows: dict
    rows -[key 'id']-> id; rows -['id']-> value; id: str; value: app.Row
    ns -['Row']-> class; class: type name=Row defines=app.Row flags=type
    class -[.__dict__]-> inside; inside: dict
    inside -['__dict__']-> descriptor; descriptor: getset_descriptor
    ns -['make']-> make; make: function name=make; make -[.__closure__]-> cells; cells: tuple
    cells -[0]-> cell; cell: cell; cell -[.cell_contents]-> kept; kept: app.Kept
"""


def test_a_label_is_of_the_object_itself_and_not_of_what_holds_it():
    graph = heap(ITSELF)
    looked = Heap(graph)
    told = {
        name: looked.label(graph[name]) for name in ("ns", "key", "own", "id", "descriptor", "cells", "cell")
    }
    assert told == {
        "ns": "app.__dict__",
        "key": "app.__dict__ key 'flow'",
        "own": "Flow.__dict__",
        "id": "Flow.rows key 'id'",
        "descriptor": "Row.__dict__['__dict__']",
        "cells": "make.__closure__",
        "cell": "make.__closure__[0]",
    }
    for name, label in told.items():
        assert find_meant(looked, label).tolist() == [graph[name]], label
    assert looked.label(graph["class"]) == "class Row"
    assert find_meant(looked, "class Row").tolist() == [graph["class"]]
    assert find_meant(looked, "Row").tolist() == [graph["value"]]
    for each in (*view(looked, graph["descriptor"]).holders, *view(looked, graph["inside"]).holders):
        assert each.number in find_references(looked, holder_text(each))[0].tolist(), holder_text(each)


SCOPES = """
    root -> f; f: Function name=make; f -[.__dict__]-> scope; scope: 'system / Context'
    scope -[closure bus]-> bus; bus: Bus; scope -[.__dict__]-> outer; outer: 'system / Context'
    bus -[internal map]-> shape; shape: 'object shape'; shape -[internal prototype]-> proto; proto: Proto
    shape -[?]-> number; number: (number)
"""


def test_what_v8_keeps_for_itself_leads_back_however_deep():
    graph = heap(SCOPES, runtime="v8")
    looked = Heap(graph)
    for name in ("scope", "outer", "bus", "shape", "proto"):
        assert graph[name] in find_meant(looked, looked.label(graph[name])).tolist(), looked.label(
            graph[name]
        )
    assert find_meant(looked, looked.slot(graph["number"])).tolist() == [graph["number"]]
