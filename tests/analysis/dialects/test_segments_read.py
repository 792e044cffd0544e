"""How one step of a path reads: names of the source as they are, data not at all."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_leaks import each_run, read, the_leak
from heaps import heap
from leakscan.analysis.dialects.segments_v8 import property_text
from leakscan.analysis.diff import diff
from leakscan.analysis.graph.ephemerons import lost_values

APP = "module app -> m; m: module name=app; m -['BY_ID']-> table; table: dict"


@pytest.mark.parametrize(("key", "reads"), [("14000000000", "[14000000000]"), ("140000000000", "[*]")])
def test_an_integer_key_as_long_as_an_address_is_not_written(key: str, reads: str):
    old = f"{APP}; table -[int {key}]-> queue; queue: list"
    path = the_leak(old, "queue -[#]-> s#; s#: app.Session birth=#").path
    assert read(path) == f"module app > BY_ID: dict > {reads}: list > [*]: Session"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("runs", ".runs"),
        ("#runs", ".#runs"),
        ("$el", ".$el"),
        ("my-key", "['my-key']"),
        ("7up", "['7up']"),
        ("<symbol tag>", "[Symbol(tag)]"),
    ],
)
def test_a_property_of_v8_is_written_as_its_source_says_it(label: str, text: str):
    assert property_text(label) == text


@pytest.mark.parametrize(
    ("label", "reads"),
    [("get size", "getter `size`"), ("<symbol tag>", "[Symbol(tag)]"), ("my-key", "['my-key']")],
)
def test_a_step_of_v8_reads_as_its_source_says_it(label: str, reads: str):
    before = f"root -> registry -[.{label}]-> queue; registry: Registry; queue: Array"
    after = f"{before}\n" + each_run("queue -[#]-> s#; s#: Session birth=#", 6)
    graphs = [heap(text, runtime="v8", meta={"births": True}) for text in (before, after)]
    (leak,) = diff(*graphs, runs=6).leaks
    assert [step.reference for step in leak.path.steps][1] == reads


@pytest.mark.parametrize(("address", "count"), [(16, 1), (17, 0)])
def test_a_key_lets_go_of_its_value_in_a_weak_map_that_nothing_reaches(address: int, count: int):
    graph = heap(
        f"table -[ephemeron 1 / part of key (Key @{address}) -> value (Value @32) pair in WeakMap]-> value\n"
        "root -> key -[element [value in a WeakMap]]-> value; key: Key addr=0x10; value: Value addr=0x20",
        runtime="v8",
    )
    is_reached = np.arange(graph.object_count) != graph["table"]
    assert len(lost_values(graph, is_reached)) == count


@pytest.mark.parametrize(
    ("way", "reads"),
    [
        ("-[._onImmediate]-> queue", ["setImmediate callback"]),
        ("-[._onTimeout]-> queue; registry -[._repeat]-> n; n: (number)", ["setInterval callback"]),
        ("-[._onTimeout]-> queue; registry -[._repeat]-> n; n: null", ["setTimeout callback"]),
        ("-[._events]-> t -[.data]-> queue; queue: Function", [".on('data')"]),
        ("-[._events]-> t -[.<symbol end>]-> queue; queue: Function", [".on(Symbol(end))"]),
        ("-[._events]-> t -[.<symbol {end}>]-> queue; queue: Function", [".on(Symbol({end}))"]),
        ("-[._events]-> t -[.data]-> a -[3]-> queue; a: Array; queue: Function", [".on('data')"]),
        (
            "-[._events]-> t -[.data]-> w -[.listener]-> queue; w: Function; queue: Function",
            [".once('data')"],
        ),
        (
            "-[.slot]-> p -[slot [[PromiseReactions]]]-> r -[slot x]-> queue",
            [".slot", "[[PromiseReactions]]", ".x"],
        ),
        (
            "-[.p]-> p -[slot [[PromiseReactions]]]-> r -[slot fulfill_handler]-> queue; p: Promise; "
            "r: 'system / PromiseReaction'; queue: Function",
            [".p", ".then()"],
        ),
        (
            "-[.p]-> p -[slot [[PromiseReactions]]]-> r -[slot promise]-> queue; p: Promise; "
            "r: 'system / PromiseReaction'; queue: Promise",
            [".p", ".then() promise"],
        ),
        ("-[?]-> queue; registry: Generator; queue: Promise", ["its promise"]),
        ("-[?]-> queue; registry: 'system / Context'; queue: Promise", ["resolves"]),
        ("-[.<symbol kResourceStore>]-> queue", ["AsyncLocalStorage store"]),
        ("-[.f]-> f -[<Als>]-> queue; f: AsyncContextFrame", ["AsyncLocalStorage store"]),
        ("-[slot [[Cells]]]-> queue; queue: Function", ["cleanup callback"]),
        (
            "-[slot [[Cells]]]-> c -[slot [[Cells]]]-> queue; c: 'system / WeakCell'",
            ["held value of a registration"],
        ),
        ("-[slot [[BoundArgs]]]-> a -[2]-> queue", ["bound argument [2]"]),
        ("-[slot [[BoundThis]]]-> queue", ["bound this"]),
        ("-[slot [[BoundTargetFunction]]]-> queue", ["bound function"]),
        ("-['a']-> queue", [".get('a')"]),
        ("-[int 7]-> queue", [".get(7)"]),
        ("-[<Point>]-> queue", [".get(<Point>)"]),
        ("-[key Point]-> queue", ["key <Point>"]),
        ("-[{}]-> queue", [".has(<Queue>)"]),
        ("-[element [value in a WeakMap]]-> queue", ["value in a WeakMap"]),
        ("-[?]-> queue; registry: 'Map Iterator'", ["iterated"]),
        ("-[?]-> queue", ["<unnamed in Registry>"]),
        ("-[slot [[Target]]]-> queue", ["[[Target]]"]),
        ("-[stack 3]-> queue", ["local [*]"]),
    ],
)
def test_what_the_engine_keeps_reads_as_what_the_program_did(way: str, reads: list[str]):
    before = f"root -> registry; registry: Registry; queue: Queue; registry {way}"
    after = f"{before}\n" + each_run("queue -[.of]-> l -[#]-> s#; l: Array; s#: Session birth=#", 6)
    graphs = [heap(text, runtime="v8", meta={"births": True}) for text in (before, after)]
    (leak,) = diff(*graphs, runs=6).leaks
    assert [step.reference for step in leak.path.steps][1:-2] == reads
