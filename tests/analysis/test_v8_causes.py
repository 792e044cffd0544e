"""What keeps new objects alive in drawn V8 heaps: one cause each, told by its class and its slot."""

import io

import pytest

from drawn_v8 import RUNS, findings, program
from leakscan.analysis.births.plumbing import without_plumbing
from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.series import series
from leakscan.heap.reader import load
from v8_files import written


def told(found):
    return [(leak.count, leak.type_name) for leak in found.leaks]


def chain(runs, *, by_scope=False, newest_first=True):
    """A list of Frames, or closures each of whose scopes holds the one before and a Frame."""
    d = program()
    d.node("first", "object", "Frame", place=(7, 5))
    d.edge("registry", "property", "head", "first")
    last = "first"
    for run in range(runs):
        frame = f"frame {run}"
        d.node(frame, "object", "Frame", place=(7, 5))
        if by_scope:
            d.node(f"fn {run}", "closure", "unused", size=64)
            d.node(f"scope {run}", "object", "system / Context", size=40)
            d.edge(f"fn {run}", "internal", "context", f"scope {run}")
            d.edge(f"scope {run}", "context", "run", frame)
            d.edge(f"scope {run}", "context", "prev", last)
            last = f"fn {run}"
        elif newest_first:
            d.edge(frame, "property", "next", last)
            last = frame
        else:
            d.edge(last, "property", "next", frame)
            last = frame
    if newest_first or by_scope:
        d.nodes[d.numbers["registry"]].edges.clear()
        d.edge("registry", "property", "head", last)
    return d


@pytest.mark.parametrize(
    "drawn",
    [
        chain,
        lambda runs: chain(runs, newest_first=False),
        lambda runs: chain(runs, by_scope=True),
    ],
    ids=["newest first", "oldest first", "scopes of closures"],
)
@pytest.mark.parametrize("runs", [12, 40])
def test_a_chain_of_any_length_is_one_cause_headed_by_the_class(drawn, runs):
    found = findings(drawn, runs)
    assert [(leak.count, leak.type_name, leak.rate) for leak in found.leaks] == [(runs, "Frame", 1.0)]


def grown(entries):
    """An old array whose elements outgrew their store."""
    d = program()
    d.node("list", "object", "Array")
    d.edge("registry", "property", "list", "list")
    if entries:
        d.node("store", "array", "(object elements)", size=16 * entries)
        d.edge("list", "internal", "elements", "store")
        for at in range(entries):
            d.node(f"entry {at}", "object", "Entry")
            d.edge("list", "element", at, f"entry {at}")
            d.edge("store", "internal", str(at), f"entry {at}")
    return d


def test_the_larger_store_that_an_old_array_was_given_is_the_old_array():
    before, after = (load(io.BytesIO(written(grown(count).content()))) for count in (0, 3))
    survivors = without_plumbing(after, find_survivors(before, after))
    assert [after.type_name(obj) for obj in survivors.objects] == ["Entry"] * 3


def scopes(runs, *, entries):
    """Scopes that nothing of the program's lies in; `entries` of them are kept."""
    d = program()
    d.node("list", "object", "Array")
    d.edge("registry", "property", "list", "list")
    for run in range(runs):
        d.node(f"scope {run}", "object", "system / Context", size=40)
        if run >= runs - entries:
            d.edge("list", "element", run, f"scope {run}")
    return d


def test_engine_objects_alone_are_told_only_when_they_go_on_growing():
    passing = findings(lambda runs: scopes(runs, entries=1))
    assert (passing.verdict.value, passing.leaks) == ("clean", ())
    growing = findings(lambda runs: scopes(runs, entries=runs))
    assert told(growing) == [(RUNS, "system / Context")]


def hung(runs, *links, hook, others=()):
    """Each run hangs a Thing on an old object by `hook`: a chain of `links` grows at its end."""
    d = program()
    for key, kind, type_name in others:
        d.node(key, kind, type_name, size=40 + 56 * 2)
    at = "registry"
    for number, (edge, name, type_name, kind) in enumerate(hook):
        d.node(f"hook {number}", kind, type_name)
        d.edge(at, edge, name, f"hook {number}")
        at = f"hook {number}"
    for run in range(runs):
        ((edge, name, type_name, kind), *inner) = links
        d.node(f"link {run}", kind, type_name)
        d.edge(at, edge, name, f"link {run}")
        at = holder = f"link {run}"
        for number, (inner_edge, inner_name, inner_type, inner_kind) in enumerate(inner):
            d.node(f"inner {run} {number}", inner_kind, inner_type)
            d.edge(holder, inner_edge, inner_name, f"inner {run} {number}")
            holder = f"inner {run} {number}"
        d.node(f"thing {run}", "object", "Thing", place=(7, 5))
        d.edge(holder, "property", "thing", f"thing {run}")
    return d


def listening(runs):
    d = hung(
        runs,
        ("property", "next", "Listener", "object"),
        ("property", "callback", "", "closure"),
        hook=[
            ("property", "signal", "EventTarget", "object"),
            ("property", "<symbol kEvents>", "Map", "object"),
        ],
        others=[("key", "string", "abort"), ("first", "object", "Object"), ("table", "array", "")],
    )
    listeners = d.nodes[d.numbers["hook 1"]]
    d.nodes[d.numbers["first"]].edges, listeners.edges = listeners.edges, []
    d.edge("hook 1", "internal", "table", "table")
    d.edge("table", "internal", "5", "key")
    d.edge("table", "internal", "6", "first")
    return d


def waiting(runs):
    reaction = ("hidden", 1, "system / PromiseReaction", "object")
    d = hung(
        runs,
        reaction,
        ("internal", "fulfill_handler", "", "closure"),
        hook=[("property", "never", "Promise", "object")],
    )
    if runs:
        edges = d.nodes[d.numbers["hook 0"]].edges
        edges[0] = ("internal", "reactions_or_result", edges[0][2])
    return d


def ticking(runs):
    return hung(
        runs,
        ("property", "_idleNext", "Timeout", "object"),
        ("property", "_onTimeout", "", "closure"),
        hook=[
            ("property", "setTimeout", "setTimeout", "closure"),
            ("internal", "context", "system / Context", "object"),
            ("context", "timerListMap", "Object", "object"),
            ("element", 1000, "TimersList", "object"),
        ],
    )


@pytest.mark.parametrize(
    ("drawn", "slot"),
    [
        (listening, "globalThis.registry.signal.addEventListener('abort')"),
        (waiting, "globalThis.registry.never.then()"),
        (ticking, "Node's timers[*]"),
    ],
)
def test_a_chain_of_the_runtime_is_written_as_the_source_says_it_and_read_again(drawn, slot):
    found = findings(drawn)
    assert told(found) == [(RUNS, "Thing")]
    assert found.leaks[0].cut is not None
    assert [member.pattern for member in found.leaks[0].cut.members] == [slot]
    graph = load(io.BytesIO(written(drawn(RUNS).content())))
    freed = {name: count for name, count, _ in what_if(graph, liveness(graph), cut=[slot]).freed_types}
    assert freed["Thing"] == RUNS


def timers(runs, *, taken_over=False):
    """Places for a timer, made anew now and then, and a log; their numbers are objects too."""
    d = program()
    for name in ("timers", "log"):
        d.node(name, "object", "Array")
        d.edge("registry", "property", name, name)
    made = dict.fromkeys(range(3), 0)
    made |= {place: run for place, run in enumerate((5, 7, 12, 1, 2)) if run <= runs}
    for place, run in made.items():
        timer, first = f"timer {place}", 1001 + 1000 * run + 100 * place
        d.node(timer, "object", "Timer", id=first)
        d.edge("timers", "element", place, timer)
        for number in range(1, (1, 3, 4, 1, 2)[place] + 1):
            d.node(f"{timer} {number}", "number", "(number)", id=first + 2 * number)
            d.edge(timer, "property", f"field {number}", f"{timer} {number}")
    if taken_over:
        # Each new timer has what the one in its place had, and what was made since.
        for run in range(1, runs + 1):
            d.node(f"note {run}", "object", "Note", id=1901 + 1000 * run)
            d.edge("timer 2", "element", run, f"note {run}")
    for run in range(1, runs + 1):
        d.node(f"line {run}", "object", "Line", id=1801 + 1000 * run)
        d.edge("log", "element", run, f"line {run}")
        d.node(f"line {run} at", "number", "(number)", id=1803 + 1000 * run)
        d.edge(f"line {run}", "property", "at", f"line {run} at")
    return d


def samples(runs):
    """A list that is made anew in each run, with the numbers that it had and one more."""
    d = program()
    d.node("list", "object", "Array", id=1501 + 1000 * runs)
    d.edge("registry", "property", "samples", "list")
    for run in range(runs):
        d.node(f"number {run}", "number", "(number)", id=2001 + 1000 * run)
        d.edge("list", "element", run, f"number {run}")
    return d


def test_numbers_in_fields_are_as_many_as_there_are_fields():
    found = findings(timers)
    assert [leak.type_name for leak in found.leaks] == ["Line"]
    assert {leak.verdict for leak in found.others} == {"bounded"}


def test_numbers_in_a_list_that_is_made_anew_with_one_more_are_a_leak():
    found = findings(samples)
    assert told(found) == [(12, "(number)")]


def test_what_new_entries_take_over_from_old_ones_is_a_leak():
    found = findings(lambda runs: timers(runs, taken_over=True))
    assert told(found) == [(12, "Note"), (12, "Line")]


def exported(d, name, variable):
    """What a module exports lies in a cell, behind its name in a hash table."""
    d.node("name", "string", name)
    d.node("cell", "object", "system / Cell")
    d.edge("exports", "internal", "3", "name")
    d.edge("exports", "internal", "4", "cell")
    d.edge("cell", "internal", "value", variable)
    return d


def with_jobs(d, runs):
    for run in range(runs):
        d.node(f"job {run}", "object", "Job", size=32)
        d.edge("list", "element", run, f"job {run}")
    return d


def exporting(runs):
    """A module whose registry is exported."""
    d = program()
    d.node("module", "object", "system / SourceTextModule")
    d.node("body", "closure", "", size=64, place=(7, 0))
    d.node("exports", "array", "")
    d.node("map", "object", "Registry", size=32)
    d.node("list", "object", "Array")
    d.edge("body", "internal", "shared", "shared")
    d.edge("gc", "element", 1, "module")
    d.edge("module", "hidden", 1, "body")
    d.edge("module", "hidden", 2, "exports")
    d.edge("map", "property", "jobs", "list")
    return with_jobs(exported(d, "registry", "map"), runs)


def test_an_exported_variable_is_called_by_its_name_and_has_no_line():
    [leak] = findings(exporting).leaks
    assert leak.holder.label == "module 'flow.mjs' closure 'registry'.jobs"
    assert (leak.holder.file, leak.holder.line) == ("/app/flow.mjs", 0)


def requiring(runs, *, file="/app/store.cjs"):
    """A CommonJS module that an ES module imports: V8 keeps its exports in cells, and no code with them."""
    d = program()
    d.node("module", "object", "system / SyntheticModule")
    d.node("url", "string", f"file://{file}")
    d.node("exports", "array", "")
    d.node("list", "object", "Array")
    d.edge("gc", "element", 1, "module")
    d.edge("module", "hidden", 1, "exports")
    d.edge("module", "hidden", 2, "url")
    return with_jobs(exported(d, "jobs", "list"), runs)


@pytest.mark.parametrize("file", ["/app/store.cjs", "/app/node_modules/shop/store.cjs"])
def test_an_export_of_a_common_js_module_is_a_variable_of_that_module(file):
    [leak] = findings(lambda runs: requiring(runs, file=file)).leaks
    assert [member.pattern for member in leak.cut.members] == ["module 'store.cjs' closure 'jobs'[*]"]


def pending(runs):
    """A Map of the program's that has a timer from before the runs, which the list of Node goes on from."""
    d = program()
    d.node("process", "object", "process")
    d.node("events", "object", "Object")
    d.node("first", "object", "Timeout")
    d.edge("registry", "property", "timer", "first")
    d.edge("global", "property", "env", "process")
    d.edge("process", "property", "_events", "events")
    d.node("listeners", "object", "Array")
    d.edge("events", "property", "exit", "listeners")
    last = "first"
    for run in range(runs):
        d.node(f"timer {run}", "object", "Timeout")
        d.node(f"call {run}", "closure", "", size=64)
        d.node(f"job {run}", "object", "Job", size=32, place=(7, 5))
        d.edge(last, "property", "_idlePrev", f"timer {run}")
        d.edge(f"timer {run}", "property", "_onTimeout", f"call {run}")
        d.edge(f"call {run}", "property", "job", f"job {run}")
        d.edge("listeners", "element", run, f"call {run}")
        last = f"timer {run}"
    return d


def test_links_of_node_s_timers_and_its_process_are_written_as_such_from_wherever_they_are_reached():
    [leak] = findings(pending).leaks
    assert [member.pattern for member in leak.cut.members] == ["process.on('exit')", "Node's timers[*]"]


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_chain_in_three_bare_snapshots_is_a_leak_by_its_exact_multiples(newest_first):
    graphs = [
        load(io.BytesIO(written(chain(17 * taken, newest_first=newest_first).content())))
        for taken in (1, 2, 3)
    ]
    found = series(graphs, runs_each=17)
    assert told(found) == [(34, "Frame")]
