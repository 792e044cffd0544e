"""Counts of other tools, type by type, and why they differ."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.cross_check import compare_counts


def objects(type_name: str, count: int) -> str:
    return "\n".join(f"root -> x{at}; x{at}: {type_name} size=10" for at in range(count))


def why(tool: str, type_name: str, ours: int, theirs: int) -> str:
    counted = {tool: {"version": "1", "types": {type_name: (theirs, theirs * 10)} if theirs else {}}}
    (check,) = compare_counts(heap(objects(type_name, ours)), counted)
    ((disagreement,),) = (check.disagreements,)
    assert bool(check.unexplained) is not bool(disagreement.why)
    return disagreement.why


@pytest.mark.parametrize(
    ("tool", "type_name", "ours", "theirs", "reason"),
    [
        ("objgraph", "app.A", 10, 7, "made or gone while objgraph counts"),
        ("objgraph", "app.A", 10, 5, ""),
        ("objgraph", "frame", 10, 5, "running frames are not in the collector's lists"),
        ("objgraph", "ctypes.c_int", 10, 5, "classes that ctypes makes have another name there"),
        ("guppy3", "guppy.sets.setsc.NodeSet", 10, 5, "guppy3 leaves itself out"),
        ("guppy3", "dict", 5, 10, "guppy3 gives every instance a __dict__ that was not there"),
        ("guppy3", "app.A", 9, 0, "guppy3 has no root that leads there, or calls the type by another name"),
        ("guppy3", "app.A", 0, 9, "guppy3 calls the type by a name of its own"),
        ("guppy3", "app.A", 10, 5, "objects that only C, guppy3 itself or the interpreter's tables hold"),
        ("guppy3", "app.A", 5, 10, ""),
    ],
)
def test_a_difference_has_its_reason(tool: str, type_name: str, ours: int, theirs: int, reason: str):
    assert why(tool, type_name, ours, theirs) == reason


def test_totals_are_of_what_both_look_at():
    graph = heap(
        "root -> a, b, c; a: app.A size=10; b: app.A size=20 flags=none; c: app.B size=5 refcount=immortal"
    )
    types = {"app.A": (1, 0)}
    (check,) = compare_counts(graph, {"objgraph": {"version": "3", "types": types}})
    assert (check.objects, check.other_objects, check.types, check.bytes, check.disagreements) == (
        1,
        1,
        1,
        0,
        (),
    )
