"""Which of several ways to an object is the one worth reading."""

from __future__ import annotations

import pytest

from drawn_leaks import the_leak

MODULES = "module zzz -> z; z: module name=zzz; module app -> m; m: module name=app"


GLOBALS = {
    "own class": "m -['Own']-> own; own: app.Own",
    "builtin": "m -['PLAIN']-> plain; plain: list",
    "class of nobody's": "m -['Foreign']-> foreign; foreign: gone.Foreign",
}


@pytest.mark.parametrize(
    ("better", "worse"),
    [("own class", "builtin"), ("builtin", "class of nobody's"), ("own class", "class of nobody's")],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_global_that_belongs_to_its_module_is_the_better_way(better: str, worse: str, is_first: bool):
    ways = [GLOBALS[better], GLOBALS[worse]][:: 1 if is_first else -1]
    drawn = "; ".join(f"{way}; {_between(way, '-> ', ';')} -[.x]-> box" for way in ways)
    path = the_leak(f"{MODULES}; {drawn}; box: list", "box -[#]-> s#; s#: app.Session birth=#").path
    assert path.steps[0].reference == _between(GLOBALS[better], "'", "'")


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("m -['A']-> a -[.x]-> box; a: app.A", "m -['K']-> k -[context current]-> box; k: app.K"),
        ("m -['A']-> a -[.x]-> box; a: app.A", "m -['K']-> k -[key 'name']-> box; k: app.K"),
        (
            "m -['A']-> a -[.b]-> b -[.x]-> box; a: app.A; b: app.B",
            "thread T -> f -[stack 0]-> box; f: <frame>",
        ),
    ],
    ids=["a name and a context", "a value and a key", "two names and a value on a stack"],
)
def test_a_way_by_names_is_the_better_one(better: str, worse: str):
    for ways in ((better, worse), (worse, better)):
        drawn = "; ".join((MODULES, *ways, "box: list"))
        path = the_leak(drawn, "box -[#]-> s#; s#: app.Session birth=#").path
        assert path.steps[0].reference == "A"


def chain(name: str, steps: int) -> str:
    """`m['NAME']` and so many attributes, down to the box."""
    links = "; ".join(f"{name}{at} -[.n]-> {name}{at + 1}; {name}{at}: app.Link" for at in range(steps))
    return f"m -['{name.upper()}']-> {name}0; {links}; {name}{steps}: app.Link; {name}{steps} -[.x]-> box"


def test_seventy_names_are_a_better_way_than_one_by_a_class():
    by_class = "m -['K']-> k -[__class__]-> c -[.x]-> box; k: app.K; c: type"
    path = the_leak(
        f"{MODULES}; {by_class}; {chain('a', 70)}; box: list", "box -[#]-> s#; s#: app.S birth=#"
    ).path
    assert path.steps[0].reference == "A"


def test_hundreds_of_names_are_a_better_way_than_one_through_new_objects_and_back():
    before = f"{MODULES}; {chain('a', 600)}; box: list; m -['K']-> k; k: app.K; old: app.Old"
    through = "k -[.t]-> t; t: app.T birth=1; t -[.old]-> old; old -[.s#]-> s#"
    leak = the_leak(before, f"box -[#]-> s#; s#: app.S birth=# size=900; {through}")
    assert leak.path.steps[0].reference == "A"


def test_a_thousand_names_are_a_better_way_than_one_that_nobody_sees():
    before = f"{MODULES}; {chain('a', 1_500)}; box: list; hidden: app.Hidden refcount=+1; hidden -[.x]-> box"
    assert the_leak(before, "box -[#]-> s#; s#: app.S birth=#").path.steps[0].reference == "A"
