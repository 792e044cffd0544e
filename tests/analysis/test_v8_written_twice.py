"""What V8 writes several times or in chains of its own is one slot, and what keeps itself alive is a leak."""

import io

import pytest

from drawn_v8 import RUNS, findings, program
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.series import series
from leakscan.heap.reader import load
from leakscan.heap.v8_names import ACCESSORS
from v8_files import written

CELL = "system / WeakCell"


def accessors(runs):
    """Each run defines a getter on an old object: V8 writes its pair, its function, the pair again."""
    d = program()
    d.node("facade", "object", "Object")
    d.edge("registry", "property", "facade", "facade")
    d.node("map", "object shape", "system / Map")
    d.node("layout", "object shape", "system / DescriptorArray")
    d.edge("facade", "internal", "map", "map")
    d.edge("map", "internal", "instance_descriptors", "layout")
    for run in range(runs):
        d.node(f"pair {run}", "hidden", ACCESSORS)
        d.node(f"get {run}", "closure", "get", size=64)
        d.node(f"scope {run}", "object", "system / Context", size=40)
        d.node(f"thing {run}", "object", "Thing", place=(7, 5))
        d.edge("facade", "property", f"p{run}", f"pair {run}")
        d.edge("facade", "property", f"get p{run}", f"get {run}")
        d.edge("layout", "internal", str(run), f"pair {run}")
        d.edge(f"pair {run}", "internal", "getter", f"get {run}")
        d.edge(f"get {run}", "internal", "context", f"scope {run}")
        d.edge(f"scope {run}", "context", "thing", f"thing {run}")
    return d


def symbols(runs):
    """Each run adds a property whose key is a symbol of its own, and all symbols are spelled alike."""
    d = program()
    d.node("bag", "object", "Object")
    d.edge("registry", "property", "bag", "bag")
    # Others were there before the runs.
    for run in range(-3, runs):
        d.node(f"thing {run}", "object", "Thing", place=(7, 5))
        d.edge("bag", "property", "<symbol thing>", f"thing {run}")
    return d


def registered(runs, *, keeps_itself=False, target="", is_cached=False):
    """Each run registers a Thing with a FinalizationRegistry, or an old object with a Thing to be held."""
    d = program()
    d.node("cleanup", "object", "FinalizationRegistry")
    d.edge("registry", "property", "cleanup", "cleanup")
    last = "cleanup"
    for run in range(runs):
        cell, thing = f"cell {run}", f"thing {run}"
        d.node(cell, "hidden", CELL)
        d.node(thing, "object", "Thing", place=(7, 5))
        d.edge(last, "hidden", 1, cell)
        if last != "cleanup":
            d.edge(cell, "hidden", 4, last)
        d.edge(cell, "hidden", 1, "cleanup")
        d.edge(cell, "weak", "target", target or thing)
        if keeps_itself or target:
            d.edge(cell, "hidden", 2, thing)
        if is_cached:
            d.edge("registry", "property", f"thing {run}", thing)
        last = cell
    return d


@pytest.mark.parametrize(
    ("drawn", "slot"),
    [
        (accessors, "globalThis.registry.facade[*]"),
        (symbols, "globalThis.registry.bag[*]"),
        (lambda runs: registered(runs, keeps_itself=True), "globalThis.registry.cleanup.register()"),
        (lambda runs: registered(runs, target="registry"), "globalThis.registry.cleanup.register()"),
    ],
    ids=["accessors", "symbols", "a held value that is watched", "many watches of one object"],
)
def test_it_is_one_leak_of_one_slot_that_whatif_takes(drawn, slot):
    found = findings(drawn)
    assert [(leak.count, leak.type_name, leak.rate) for leak in found.leaks] == [(RUNS, "Thing", 1.0)]
    assert [member.pattern for member in found.leaks[0].cut.members] == [slot]
    graph = load(io.BytesIO(written(drawn(RUNS).content())))
    freed = {name: count for name, count, _ in what_if(graph, liveness(graph), cut=[slot]).freed_types}
    assert freed["Thing"] >= RUNS


def test_a_registration_goes_with_what_it_watches():
    found = findings(lambda runs: registered(runs, is_cached=True))
    assert [leak.cut.members[0].pattern for leak in found.leaks] == ["globalThis.registry[*]"]


def realms(runs):
    """Each run keeps a sandbox whose scope the layouts of older sandboxes refer to as well."""
    d = program()
    d.node("list", "object", "Array")
    d.edge("registry", "property", "list", "list")
    for run in range(runs):
        d.node(f"sandbox {run}", "object", "Object")
        d.node(f"shape {run}", "object shape", "system / Map")
        d.node(f"thing {run}", "object", "Thing", place=(7, 5))
        d.edge("list", "element", run, f"sandbox {run}")
        d.edge(f"sandbox {run}", "internal", "map", f"shape {run}")
        d.edge(f"sandbox {run}", "property", "thing", f"thing {run}")
        for part in range(40):
            d.node(f"builtin {run} {part}", "closure", "", size=6400)
            d.edge(f"shape {run}", "internal", f"part {part}", f"builtin {run} {part}")
            d.edge(f"builtin {run} {part}", "property", "home", f"sandbox {run}")
    return d


def test_what_the_layouts_of_a_sandbox_hold_does_not_hide_the_class_in_it():
    found = findings(realms)
    assert [(leak.count, leak.type_name) for leak in found.leaks] == [(RUNS, "Thing")]


def timers_with_layouts(runs):
    """Timers in their list, and the layout of an old one that the engine changed in one run."""
    d = program()
    d.node("lists", "object", "Object")
    d.node("list", "object", "TimersList")
    d.edge("registry", "property", "timerListMap", "lists")
    d.edge("lists", "element", 1000, "list")
    d.node("old", "object", "Timeout")
    d.node("shape", "object shape", "system / Map")
    d.edge("list", "property", "_idlePrev", "old")
    d.edge("old", "internal", "map", "shape")
    last = "old"
    for run in range(runs):
        if run == 4:
            d.node("layouts", "array", "system / WeakArrayList")
            d.edge("shape", "internal", "prototype_info", "layouts")
        d.node(f"timer {run}", "object", "Timeout")
        d.node(f"thing {run}", "object", "Thing", place=(7, 5))
        d.edge(last, "property", "_idleNext", f"timer {run}")
        d.edge(f"timer {run}", "property", "store", f"thing {run}")
        last = f"timer {run}"
    return d


def test_what_the_engine_made_in_one_run_does_not_speak_for_a_slot_that_is_written_like_it():
    found = findings(timers_with_layouts)
    assert [(leak.count, leak.type_name) for leak in found.leaks] == [(RUNS, "Thing")]


def test_a_text_that_grows_is_as_many_as_its_evidence_says_between_bare_snapshots():
    def drawn(runs):
        d = program()
        d.node("text 0", "string", "start")
        for run in range(1, runs + 1):
            d.node(f"text {run}", "concatenated string", "(concatenated string)")
            d.edge(f"text {run}", "internal", "first", f"text {run - 1}")
        d.edge("registry", "property", "text", f"text {runs}")
        return d

    loaded = (load(io.BytesIO(written(drawn(runs).content()))) for runs in (11, 22, 33))
    [leak] = series(loaded, runs_each=11).leaks
    assert (leak.count, leak.evidence) == (22, "exactly 1 each time, 22 times")
