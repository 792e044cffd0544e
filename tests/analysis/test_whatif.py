"""What-if: references that a user names, how they are found, and what goes with them."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from heaps import DrawnHeap, heap
from leakscan.analysis.cuts.whatif import WhatIf, what_if
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.errors import UsageError

PROGRAM = """
    module app.flows -> flows -[.default]-> workflow
    flows: module name=app.flows
    workflow: app.flows.Workflow
    workflow -[._runs]-> runs -['a']-> r1
    runs -['b']-> r2; runs -[key 'b']-> kb
    runs: dict; kb: str; r1: app.flows.Run birth=1 size=10; r2: app.flows.Run birth=2 size=10
    module app.bus -> busmod -[.__dict__]-> busdict -['bus']-> emitter -[.handlers]-> handlers
    busmod: module name=app.bus
    busdict: dict
    emitter: app.bus.Emitter; handlers: dict
    handlers -['chunk']-> chunk -[0]-> f1; chunk -[1]-> f2; handlers -['end']-> ends -[0]-> f3
    chunk: list; ends: list
    f1: function name='watch.<locals>.on_chunk' birth=1; f2: function name='watch.<locals>.on_chunk' birth=2
    f3: function name='watch.<locals>.on_end' birth=2 size=3
    f1 -[slot __closure__]-> t1 -[0]-> c1 -[slot cell_contents]-> r1
    f2 -[slot __closure__]-> t2 -[0]-> c2 -[slot cell_contents]-> r2
    t1: tuple birth=1; t2: tuple birth=2; c1: cell name=seen birth=1; c2: cell name=seen birth=2
    points -[<Point>]-> p; points -[int 17]-> q; points -[{}]-> s
    points: app.geo.Points; p: app.geo.Point; q: app.geo.Point; s: app.geo.Point
    root -> points
    thread MainThread -> frame -[local pending]-> waiting -[3]-> w
    frame: <frame> name=main; waiting: list; w: app.geo.Point
    context -[context request]-> span; span: app.geo.Span
    root -> context
    Workflow: type defines=app.flows.Workflow flags=tracked,type name=Workflow
    flows -[.Workflow]-> Workflow -[.count]-> total
    total: list
    odd -["it's"]-> oddity; root -> odd; odd: app.geo.Odd; oddity: list
"""


@pytest.fixture(scope="module")
def graph() -> DrawnHeap:
    return heap(PROGRAM)


def targets(graph: DrawnHeap, text: str) -> list[str]:
    found = match_pattern(graph, parse_pattern(text))
    return sorted(graph.spell(graph.ref_targets[found.refs]))


def ask(graph: DrawnHeap, *cut: str, **options: object) -> WhatIf:
    run = Analysed(graph)
    return what_if(graph, run.life, cut=cut, is_new=run.is_new, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Workflow._runs[*]", ["kb", "r1", "r2"]),
        ("app.flows.Workflow._runs[*]", ["kb", "r1", "r2"]),
        ("Workflow._runs['b']", ["kb", "r2"]),
        ("Workflow._runs", ["runs"]),
        ("Workflow.count", ["total"]),
        ("Workflow.c*t", ["total"]),
        ("Emitter.hand*", ["handlers"]),
        ("app.flows.default._runs['a']", ["r1"]),
        ("module app.flows:default", ["workflow"]),
        ("module app.bus:bus.handlers", ["handlers"]),
        ("app.bus.bus", ["emitter"]),
        ("Emitter.handlers['chunk'][*]", ["f1", "f2"]),
        ('Emitter.handlers["chunk"][0]', ["f1"]),
        ("Emitter.handlers[*][*]", ["f1", "f2", "f3"]),
        ("watch.<locals>.on_chunk closure 'seen'", ["r1", "r2"]),
        ("on_chunk closure `seen`", ["r1", "r2"]),
        ("Points[<Point>]", ["p"]),
        ("Points[17]", ["q"]),
        ("Points[*]", ["p", "q", "s"]),
        ("Points{*}", ["s"]),
        ("main local 'pending'[3]", ["w"]),
        ("context variable 'request'", ["span"]),
        ("type 'app.geo.Odd'['it\\'s']", ["oddity"]),
    ],
)
def test_patterns_name_references_as_a_developer_would(graph: DrawnHeap, text: str, expected: list[str]):
    assert targets(graph, text) == expected


def test_what_two_things_hold_goes_only_when_both_are_cut(graph: DrawnHeap):
    found = ask(graph, "Workflow._runs[*]", "Emitter.handlers['chunk'][*]")
    assert [(effect.pattern, effect.frees_survivors) for effect in found.effects] == [
        ("Workflow._runs[*]", 0),
        ("Emitter.handlers['chunk'][*]", 6),
    ]
    assert (found.frees_survivors, found.survivors, found.still_held) == (8, 9, 1)


def test_a_reference_made_weak_frees_what_removing_it_frees(graph: DrawnHeap):
    removed = ask(graph, "Emitter.handlers['end'][*]")
    made_weak = ask(graph, weak=["Emitter.handlers['end'][*]"])
    assert (removed.frees, made_weak.frees, made_weak.effects[0].is_weak) == (1, 1, True)


def test_freed_bytes_are_told_by_type(graph: DrawnHeap):
    found = ask(graph, "Emitter.handlers['end'][*]")
    assert (found.freed_types, found.frees_bytes) == ((("function", 1, 3),), 3)


def test_cutting_what_was_there_before_says_that_old_objects_go(graph: DrawnHeap):
    assert ask(graph, "module app.bus:bus").frees_old == 4


def test_a_root_can_be_cut():
    graph = heap("interpreter atexit callbacks -> f; f: function birth=1 size=4")
    assert ask(graph, "root 'atexit callbacks'").frees_bytes == 4


def test_what_only_leakscan_holds_is_no_survivor():
    graph = heap("""
        root -> a -> s1; own thread sampler -> f -> s2; root -> mine -> s3
        s1: app.S birth=1; s2: app.S birth=1; s3: app.S birth=1
        f: <frame> flags=own; mine: app.Recorder flags=own; a: app.A
    """)
    found = ask(graph, "A.s1")
    assert (found.frees_survivors, found.survivors) == (1, 1)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("Workflow._run[*]", "Workflow._runs"),
        ("Wrkflow._runs[*]", "Workflow._runs[*]"),
        ("Emitter.handlers['chnk']", "Emitter.handlers['chunk']"),
        ("app.flow.default", "app.flows.default"),
    ],
)
def test_a_pattern_that_matches_nothing_shows_the_nearest(graph: DrawnHeap, text: str, nearest: str):
    with pytest.raises(UsageError) as error:
        ask(graph, text)
    assert nearest in error.value.hint


@pytest.mark.parametrize("text", ["", "[*]", "Workflow._runs[", "Workflow..x", "a b c", "Workflow['x"])
def test_a_pattern_that_cannot_be_read_is_refused_with_an_example(graph: DrawnHeap, text: str):
    with pytest.raises(UsageError) as error:
        ask(graph, text)
    assert "Workflow._runs[*]" in error.value.hint


def test_nothing_to_cut_is_a_usage_error(graph: DrawnHeap):
    with pytest.raises(UsageError):
        ask(graph)


@pytest.mark.parametrize(
    "kept", ["app -[.https://example.org/x y]-> thing", "app -[.__dict__]-> d -['a b']-> thing; d: dict"]
)
def test_an_attribute_whose_name_is_no_identifier_is_written_like_a_key(kept: str):
    graph = heap(
        f"module app -> m -[.KEEP]-> app; m: module name=app; app: app.Store; {kept}; thing: app.Thing"
    )
    run = Analysed(graph)
    ref = next(ref for ref in range(graph.reference_count) if graph.ref_targets[ref] == graph["thing"])
    pattern = run.names.slot_pattern(ref, every=False)
    assert match_pattern(graph, parse_pattern(pattern)).refs.tolist() == [ref]


def test_a_cut_that_frees_some_says_by_which_slot_the_rest_is_held():
    drawn = heap("""
        root -> app; app: app.App; app -[.runs]-> runs; runs: list; runs -[0]-> r1; runs -[1]-> r2
        runs -[2]-> r3
        r1: app.Run birth=1; r2: app.Run birth=2; r3: app.Run birth=3
        r2 -[.output]-> out; out: app.Output birth=2; r3 -[.shared]-> old; old: app.Old
        root -> bus; bus: app.Bus; bus -[.seen]-> seen; seen: list; seen -[0]-> out; bus -[.last]-> r3
    """)
    answer = ask(drawn, "App.runs[*]")
    assert (answer.frees_survivors, answer.survivors, answer.led_to) == (2, 4, 2)
    assert answer.also_held_by == (("Bus.last", 1), ("Bus.seen[*]", 1))
    everything = ask(drawn, "App.runs[*]", "Bus.seen[*]", "Bus.last")
    assert (everything.still_held, everything.also_held_by) == (0, ())
