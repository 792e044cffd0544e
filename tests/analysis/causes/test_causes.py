"""Which new objects are one thing to fix, and what it is called."""

from __future__ import annotations

import pytest

from drawn_leaks import each_run, found
from heaps import heap
from leakscan.analysis.diff import diff

TWO = "module app -> m; m: module name=app; m -['A']-> a; m -['B']-> b; a: list; b: list"
EACH = "a -[#]-> x#; x#: list size=100 birth=#; b -[#]-> y#; y#: dict size=100 birth=#"
ONE = "module app -> m; m: module name=app; m -['A']-> a; a: list"


@pytest.mark.parametrize(("size", "leaks"), [(48, 2), (52, 1)])
def test_what_two_places_hold_together_joins_them_from_half_of_the_lighter_one_on(size: int, leaks: int):
    shared = f"x# -[0]-> s#; y# -['s']-> s#; s#: bytes size={size} birth=#"
    assert len(found(TWO, f"{EACH}; {shared}").leaks) == leaks


@pytest.mark.parametrize(("runs", "leaks"), [(9, 2), (10, 1)])
def test_a_class_with_a_name_joins_its_two_places_when_half_of_the_runs_left_one(runs: int, leaks: int):
    shared = "x# -[0]-> s#; y# -['s']-> s#; s#: app.Out size=5 birth=#"
    after = "\n".join((TWO, each_run(EACH, 20), each_run(shared, runs)))
    assert len(diff(heap(TWO, meta={"births": True}), heap(after), runs=20).leaks) == leaks


def name(grown: str, *, before: str = ONE) -> str:
    (leak,) = found(before, grown).leaks
    return leak.type_name


@pytest.mark.parametrize(("size", "expected"), [(4, "lib.Wrap"), (6, "app.Small")])
def test_a_class_of_the_program_names_a_leak_from_a_twentieth_of_its_weight_on(size: int, expected: str):
    library = "module lib -> l; l: module name=lib at=/usr/lib/python3/site-packages/lib.py:1"
    grown = f"a -[#]-> x#; x#: lib.Wrap size=100 birth=#; x# -[.s]-> s#; s#: app.Small size={size} birth=#"
    assert name(grown, before=f"{ONE}; {library}") == expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("lib.Frame", "lib.blocks.Manager", "lib.Frame"),
        ("lib.Frame", "other.Manager", "other.Manager"),
        ("app.Run", "app.Output", "app.Output"),
    ],
)
def test_what_a_library_is_made_of_inside_does_not_name_a_leak(outer: str, inner: str, expected: str):
    at = "at=/usr/lib/python3/site-packages"
    libraries = "".join(
        f"; module {module} -> l{number}; l{number}: module name={module} {at}/{number}.py:1"
        for number, module in enumerate(("lib", "lib.blocks", "other"))
    )
    grown = f"a -[#]-> x#; x#: {outer} size=9 birth=#; x# -[.s]-> s#; s#: {inner} size=900 birth=#"
    assert name(grown, before=f"{ONE}{libraries}") == expected


@pytest.mark.parametrize("inner", ["decimal.Decimal", "dict"])
@pytest.mark.parametrize(("size", "is_named"), [(95, False), (105, True)])
def test_what_a_list_holds_names_a_leak_when_it_is_most_of_it(inner: str, size: int, is_named: bool):
    key = "s# -['role']-> t#; t#: str birth=#" if inner == "dict" else ""
    grown = f"a -[#]-> x#; x#: list size=100 birth=#; x# -[0]-> s#; s#: {inner} size={size} birth=#; {key}"
    assert name(grown) == (inner if is_named else "list")


@pytest.mark.parametrize(("other", "expected"), [(150, ""), (250, "function handler")])
def test_functions_are_called_by_the_name_that_two_hundred_of_them_have(other: int, expected: str):
    names = ("other" if number == other else "handler" for number in range(300))
    grown = [
        f"a -[{number}]-> f{number}; f{number}: function name={name} birth={number // 50 + 1}"
        for number, name in enumerate(names)
    ]
    after = heap("\n".join((ONE, *grown)))
    (leak,) = diff(heap(ONE, meta={"births": True}), after, runs=6).leaks
    assert leak.name == (expected or "function in app.A[*]")


def test_a_tuple_inside_of_what_a_tuple_holds_is_no_thing_of_its_own():
    grown = """
    a -[#]-> x#; x#: tuple size=9 birth=#; x# -[0]-> f#; f#: function size=9 name=done birth=#
    f# -[slot __closure__]-> c#; c#: tuple size=9 birth=#
    """
    (leak,) = found(ONE, grown).leaks
    assert (leak.type_name, leak.count) == ("tuple", 6)
