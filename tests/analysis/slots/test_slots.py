"""What one line of a program fills is one slot: entries that nobody typed, names that somebody did."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drawn_leaks import told
from heaps import heap
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.diff import diff
from leakscan.analysis.judge.judged import JudgedSlot

APP = "module app -> m; m: module name=app; m -['S']-> s; s: app.State; s -[.list]-> list; list: list"
NAMES = ("alpha", "bravo", "cargo", "delta", "ember", "fable", "gamma", "hotel", "india", "jolly")


def slots(grown: str, *, before: str = APP) -> dict[str, JudgedSlot]:
    graphs = [heap(before, meta={"births": True}), heap(f"{before}\n{grown}")]
    return {one.slot.pattern: one for one in told(*graphs, runs=20).judged}


def attributes(births: list[int], *, others: int = 0) -> str:
    """New attributes of the old object, the last ones with values of another class."""
    kinds = ["app.Value"] * (len(births) - others) + ["app.Other"] * others
    return "\n".join(
        f"s -[.{name}]-> {name}; {name}: {kind} birth={birth}"
        for name, kind, birth in zip(NAMES, kinds, births, strict=False)
    )


@pytest.mark.parametrize(
    ("births", "count"),
    [([1] * 7, 7), ([1] * 8, 1), ([1, 1, 2], 3), ([1, 2, 3], 1)],
    ids=["seven at once", "eight at once", "in two runs", "in three runs"],
)
def test_new_names_on_one_object_are_entries_when_nobody_typed_them(births: list[int], count: int):
    assert len(slots(attributes(births))) == count


@pytest.mark.parametrize(("others", "count"), [(2, 1), (3, 10)])
def test_names_that_hold_different_things_were_typed(others: int, count: int):
    assert len(slots(attributes([1] * 10, others=others))) == count


def test_keys_that_differ_on_the_way_are_one_slot():
    before = f"{APP}; list -[0]-> h; h: dict; h -['a']-> one; h -['b']-> two; one: list; two: list"
    grown = "\n".join(
        f"{at} -[{n}]-> {at}{n}; {at}{n}: app.X birth=1" for at in ("one", "two") for n in (1, 2)
    )
    assert list(slots(grown, before=before)) == ["State.list[*][*][*]"]


def test_a_key_that_is_the_only_one_filled_is_a_name_to_look_for():
    before = f"{APP}; s -[.handlers]-> h; h: dict; h -['a']-> one; h -['b']-> two; one: list; two: list"
    grown = "\n".join(f"one -[{n}]-> x{n}; x{n}: app.X birth=1" for n in (1, 2))
    assert list(slots(grown, before=before)) == ["State.handlers['a'][*]"]


def test_the_former_values_of_a_name_are_counted_in_hundreds_of_objects():
    points = APP + "".join(f"; list -[{n}]-> p{n}; p{n}: app.P" for n in range(300))
    before = points + "".join(f"; p{n} -[.x]-> o{n}; o{n}: app.X" for n in range(200, 300))
    after = points + "".join(f"; p{n} -[.x]-> n{n}; n{n}: app.X birth=1" for n in range(300))
    (judged,) = told(heap(before, meta={"births": True}), heap(after), runs=20).judged
    assert (judged.entries.before, judged.entries.after) == (100, 300)


def test_the_class_that_an_object_was_given_is_written_after_the_place_of_the_object():
    rows = "; ".join(f"list -[{n}]-> r{n}; r{n}: app.Row birth=0 addr=0x{n + 1}000" for n in range(2))
    rows += "; m -['CURRENT']-> c; c: app.Row birth=0 addr=0x9000"
    before = f"{APP}; {rows}"
    given = "; ".join(
        f"{name} -[__class__]-> t{name}; t{name}: type birth={birth} name=New{name}"
        for birth, name in enumerate(("r0", "r1", "c"), start=1)
    )
    after = f"{APP}; {rows.replace('app.Row', 'app.New')}; {given}"
    graphs = [heap(before), heap(after)]
    found = {one.slot.pattern: len(one.slot.refs) for one in told(*graphs, runs=20).judged}
    assert found == {"State.list[*].__class__": 2, "app.CURRENT.__class__": 1}
    matched = match_pattern(graphs[1], parse_pattern("State.list[*].__class__"))
    assert len(matched.refs) == 2


CONTEXT = """
interpreter context of the thread -> c; c: _contextvars.Context; c -[slot variables]-> h; h: hamt
h -[slot root]-> t; t: hamt_bitmap_node; t -[key old]-> o; o: ContextVar; t -[context old]-> v; v: app.Old
"""
VARIABLE = """
vars -['{name}']-> k#; k#: ContextVar size=80 birth=#; t -[key {name}]-> k#
t -[context {name}]-> l#; l#: list size=56 birth=#
"""


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ([f"request_{run}" for run in range(1, 7)], "request_*"),
        ([f"of_{name}" for name in NAMES[:6]], "of_*"),
        (list(NAMES[:6]), "*"),
    ],
)
def test_context_variables_that_are_made_from_data_are_one_slot(names: list[str], written: str):
    before = "module app -> m; m: module name=app; m -['VARS']-> vars; vars: dict" + CONTEXT
    grown = "".join(
        VARIABLE.replace("{name}", name).replace("#", str(run)) for run, name in enumerate(names, 1)
    )
    (leak,) = diff(heap(before, meta={"births": True}), heap(before + grown), runs=6).leaks
    members = [one.pattern for one in leak.cut.members] if leak.cut else []
    assert (members, leak.count) == (["app.VARS[*]", f"context variable '{written}'"], 6)
    assert leak.cut
    assert leak.cut.frees == 6


@pytest.mark.parametrize(("names", "runs"), [(NAMES[:2] * 3, range(1, 7)), (NAMES[:6], [1, 2] * 3)])
def test_context_variables_that_somebody_named_are_slots_of_their_own(
    names: Sequence[str], runs: Sequence[int]
):
    """A function makes one of the same name in each run; an import makes all of a library in one."""
    before = "module app -> m; m: module name=app; m -['VARS']-> vars; vars: dict" + CONTEXT
    made = "".join(
        VARIABLE.replace("{name}", name).replace("birth=#", f"birth={run}").replace("#", str(number))
        for number, (name, run) in enumerate(zip(names, runs, strict=True), 1)
    )
    written = {pattern for pattern in slots(made, before=before) if "context" in pattern}
    assert written == {f"context variable '{name}'" for name in names}
