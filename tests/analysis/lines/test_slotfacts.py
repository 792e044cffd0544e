"""What a slot is in the source: a name of an instance, of a module, or data in a container."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.lines.slotfacts import SlotReader

MODULE = """
module app -> m -[.S]-> s; m: module name=app at=/srv/app.py:1; s: app.State
m -[.State]-> State; State: type defines=app.State name=State
"""


def names(drawing: str) -> list[str]:
    """Of the slots that the reference to `last` lies in, from the inside."""
    graph = heap(f"{MODULE}\n{drawing}")
    (ref,) = (ref for ref in range(graph.reference_count) if graph.ref_targets[ref] == graph["last"])
    return [facts.name for facts in SlotReader(graph, Analysed(graph).names.parent_ref).facts_of(ref)]


@pytest.mark.parametrize(("depth", "expected"), [(3, ["x", "S"]), (20, ["x", "S"]), (30, [])])
def test_what_lies_in_containers_within_containers_lies_in_the_attribute_above_them(
    depth: int, expected: list[str]
):
    dicts = "\n".join(f"d{at} -['k']-> d{at + 1}; d{at}: dict" for at in range(depth))
    assert names(f"s -[.x]-> d0\n{dicts}\nd{depth}: dict; d{depth} -['k']-> last") == expected


@pytest.mark.parametrize("attributes", [3, 60])
def test_a_key_of_an_object_that_has_entries_is_no_name(attributes: int):
    own = "\n".join(f"s -[.a{at}]-> v{at}" for at in range(attributes))
    assert names(f"{own}\ns -[int 1]-> entry; s -['last']-> last") == ["S"]
