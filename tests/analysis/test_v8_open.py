"""What Node holds from C++ is told as the program knows it, and written as one slot that can be cut."""

import io
from dataclasses import replace

import pytest

from drawn_v8 import RUNS, findings, program
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.findings import Verdict
from leakscan.heap.reader import load
from v8_files import written


def node_program():
    d = program()
    d.node("handles", "synthetic", "(Global handles)", size=0)
    d.node("environment", "native", "Node / Environment")
    d.edge("gc", "element", 2, "handles")
    d.edge("gc", "element", 3, "environment")
    return d


def servers(runs, *, has_roots_of_its_own):
    """Each run listens: a handle leads to its server, which has a Job. Node 20 has more roots for it."""
    d = node_program()
    for run in range(runs):
        handle, native = f"handle {run}", f"native {run}"
        d.node(handle, "object", "TCP")
        d.node(f"server {run}", "object", "Server")
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.node(native, "synthetic" if has_roots_of_its_own else "native", "Node / TCPServerWrap", size=0)
        d.edge("handles", "element", run, handle)
        d.edge(handle, "internal", "javascript_to_native", native)
        d.edge(handle, "property", "<symbol owner_symbol>", f"server {run}")
        d.edge(f"server {run}", "property", "job", f"job {run}")
        if has_roots_of_its_own:
            d.edge("gc", "element", 10 + run, native)
            d.node(f"beyond {run}", "object", "Array")
            d.edge(native, "element", 1, handle)
            d.edge(native, "element", 2, f"beyond {run}")
            d.edge(f"beyond {run}", "element", 0, f"job {run}")
    return d


def ports(runs):
    """What has no owner is told as its own class; a function that C++ refers to is nothing open."""
    d = node_program()
    d.node("hook", "closure", "hook", size=64)
    d.edge("handles", "element", 1000, "hook")
    for run in range(runs):
        d.node(f"port {run}", "object", "MessagePort")
        d.node(f"native {run}", "native", "Node / MessagePort")
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.edge("handles", "element", run, f"port {run}")
        d.edge(f"port {run}", "internal", "javascript_to_native", f"native {run}")
        d.edge(f"port {run}", "property", "job", f"job {run}")
    return d


def hash_table(d):
    """V8's, of 8 buckets and 16 entries: 3 words, the buckets, and 3 for each entry."""
    d.node("table", "array", "", size=16 + 8 * (3 + 8 + 3 * 16))


def imports(runs):
    """Each run imports a module anew: Node's loader has its job, and V8 what it exports."""
    d = node_program()
    d.node("loader", "object", "ModuleLoader")
    d.node("cache", "object", "LoadCache")
    hash_table(d)
    d.edge("global", "property", "loader", "loader")
    d.edge("loader", "property", "loadCache", "cache")
    d.edge("cache", "internal", "table", "table")
    for run in range(runs):
        key, module, body = f"file:///app/plugin.mjs?v={run}", f"module {run}", f"body {run}"
        d.node(f"key {run}", "string", key)
        d.node(module, "object", "system / SourceTextModule")
        d.node(body, "closure", "", size=64, place=(8 + run, 0))
        d.node(f"shared {run}", "code", "(shared function info)")
        d.node(f"script {run}", "code", key)
        d.node(f"scope {run}", "object", "system / Context")
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.edge("table", "internal", str(3 * run + 11), f"key {run}")
        d.edge("table", "internal", str(3 * run + 12), module)
        d.edge(module, "hidden", 1, body)
        d.edge(body, "internal", "shared", f"shared {run}")
        d.edge(f"shared {run}", "internal", "script_or_debug_info", f"script {run}")
        d.edge(body, "internal", "context", f"scope {run}")
        d.edge(f"scope {run}", "context", "job", f"job {run}")
    return d


def connections(runs):
    """Each run leaves a connection open: a handle with a socket, and a parser, which may be one of before."""
    d = node_program()
    for run in range(-2, runs):
        d.node(f"parser {run}", "object", "HTTPParser", id=None if run < 0 else 5001 + 20 * run)
        d.edge("handles", "element", 1000 + run, f"parser {run}")
    for run in range(runs):
        parser = f"parser {run - 2}"
        d.node(f"handle {run}", "object", "TCP", id=5003 + 20 * run)
        d.node(f"native {run}", "native", "Node / TCPSocketWrap", id=5005 + 20 * run)
        d.node(f"socket {run}", "object", "Socket", id=5007 + 20 * run)
        d.node(f"job {run}", "object", "Job", place=(7, 5), id=5009 + 20 * run)
        d.edge("handles", "element", run, f"handle {run}")
        d.edge(f"handle {run}", "internal", "javascript_to_native", f"native {run}")
        d.edge(f"handle {run}", "property", "<symbol owner_symbol>", f"socket {run}")
        d.edge(f"socket {run}", "property", "job", f"job {run}")
        d.edge(parser, "property", "socket", f"socket {run}")
        d.edge(parser, "property", "onIncoming", f"job {run}")
    return d


def required(runs):
    """Each run puts something in a list that a CommonJS module exports."""
    d = node_program()
    d.node("loader", "closure", "Module", size=64, place=(9, 9))
    d.node("loader shared", "code", "(shared function info)")
    d.node("loader script", "code", "node:internal/modules/cjs/loader")
    d.edge("loader", "internal", "shared", "loader shared")
    d.edge("loader shared", "internal", "script_or_debug_info", "loader script")
    d.node("loaded", "object", "Object")
    d.node("loaded module", "object", "Module", place=(9, 9))
    d.node("exports", "object", "Object")
    d.node("list", "object", "Array")
    d.edge("global", "property", "loader", "loader")
    d.edge("loader", "property", "_cache", "loaded")
    d.edge("loaded", "property", "/app/lib/jobs.js", "loaded module")
    d.edge("loaded module", "property", "exports", "exports")
    d.edge("exports", "property", "jobs", "list")
    for run in range(runs):
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.edge("list", "element", run, f"job {run}")
    return d


@pytest.mark.parametrize(
    ("drawn", "slot"),
    [
        (lambda runs: servers(runs, has_roots_of_its_own=False), "Node's open Server[*]"),
        (lambda runs: servers(runs, has_roots_of_its_own=True), "Node's open Server[*]"),
        (ports, "Node's open MessagePort[*]"),
        (connections, "Node's open Socket[*]"),
        (imports, "Node's ES modules[*]"),
        (required, "require.cache['/app/lib/jobs.js'].exports.jobs[*]"),
    ],
    ids=[
        "handles with an owner",
        "roots of Node 20",
        "handles without an owner",
        "connections",
        "modules",
        "required",
    ],
)
def test_what_node_holds_from_cpp_is_one_slot_that_frees_the_jobs(drawn, slot):
    [leak] = findings(drawn).leaks
    assert (leak.count, leak.type_name, leak.rate) == (RUNS, "Job", 1.0)
    assert [member.pattern for member in leak.cut.members] == [slot]
    graph = load(io.BytesIO(written(drawn(RUNS).content())))
    freed = {name: count for name, count, _ in what_if(graph, liveness(graph), cut=[slot]).freed_types}
    assert freed["Job"] == RUNS


def test_a_handle_is_a_root_of_c_where_the_heap_is_not_of_node():
    def drawn(runs):
        d = ports(runs)
        d.nodes = [replace(node, name=node.name.replace("Node / ", "Blink / ")) for node in d.nodes]
        return d

    [leak] = findings(drawn).leaks
    assert [member.pattern for member in leak.cut.members] == ["root '(Global handles)'"]


def local_map(runs):
    """A function that still runs fills a Map of its own; the newest Job is at hand, too."""
    d = program()
    d.node("stack", "synthetic", "(Stack roots)", size=0)
    d.edge("gc", "element", 2, "stack")
    d.node("jobs", "object", "Map")
    hash_table(d)
    d.edge("stack", "element", 1, "jobs")
    d.edge("jobs", "internal", "table", "table")
    for run in range(runs):
        d.node(f"key {run}", "string", f"k{run}")
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.edge("table", "internal", str(3 + 8 + 3 * run), f"key {run}")
        d.edge("table", "internal", str(3 + 8 + 3 * run + 1), f"job {run}")
    if runs:
        d.edge("stack", "element", 2, f"job {runs - 1}")
    return d


def test_what_a_map_of_a_running_function_piles_up_is_no_value_at_hand():
    (leak,) = findings(local_map).leaks
    assert (leak.type_name, leak.count, leak.noise) == ("Job", RUNS, "")
    early = findings(local_map, 2)
    assert (early.verdict, early.noise) == (Verdict.INCONCLUSIVE, ())


def frames(runs):
    """`fill` runs, called by `main`: V8 lists the values of each, its function, its scope and its code."""
    d = program()
    d.node("stack", "synthetic", "(Stack roots)", size=0)
    d.edge("gc", "element", 2, "stack")
    d.node("code", "code", "(InterpreterEntryTrampoline builtin handle)")
    d.node("scope", "object", "system / Context")
    d.node("jobs", "object", "Map")
    d.node("bytes", "code", "system / BytecodeArray")
    hash_table(d)
    d.edge("jobs", "internal", "table", "table")
    for function in ("fill", "main", ""):
        d.node(f"function {function}", "closure", function, size=64, place=(7, 9))
    for run in range(runs):
        d.node(f"key {run}", "string", f"k{run}")
        d.node(f"job {run}", "object", "Job", place=(7, 5))
        d.edge("table", "internal", str(3 + 8 + 3 * run), f"key {run}")
        d.edge("table", "internal", str(3 + 8 + 3 * run + 1), f"job {run}")
    values = {"fill": [f"job {runs - 1}"] * bool(runs), "main": ["jobs"], "": []}
    listed = []
    for function, held in values.items():
        listed += [*held, "bytes", f"function {function}", "scope", "code"]
    for number, key in enumerate(listed):
        d.edge("stack", "internal", str(number + 1), key)
    return d


def test_what_a_running_function_piles_up_is_told_and_cut_by_the_function_that_has_it():
    (leak,) = findings(frames).leaks
    assert (leak.count, leak.in_use, leak.in_use_by) == (RUNS, 1, ("root 'running fill()'",))
    (member,) = leak.cut.members
    assert (member.pattern, leak.cut.frees) == ("root 'running main()'.get(*)", RUNS - 1)
    graph = load(io.BytesIO(written(frames(RUNS).content())))
    freed = {
        name: count for name, count, _ in what_if(graph, liveness(graph), cut=[member.pattern]).freed_types
    }
    assert freed["Job"] == RUNS - 1


def test_what_lies_below_the_last_function_is_of_the_stack_alone():
    graph = load(io.BytesIO(written(local_map(2).content())))
    assert "(Stack roots)" in {graph.root_label(row) for row in range(len(graph.roots))}
    graph = load(io.BytesIO(written(frames(2).content())))
    labels = {graph.root_label(row) for row in range(len(graph.roots))}
    assert {"running fill()", "running main()", "running (anonymous)()"} <= labels


def keep_alive(runs, listed=()):
    """A pool of eleven sockets: each run takes the place of the oldest; three parsers are used again."""
    d = program()
    d.node("pool", "object", "Array")
    d.edge("registry", "property", "pool", "pool")
    d.node("listed", "object", "Array")
    d.edge("registry", "property", "listed", "listed")
    for number in range(min(runs, 3)):
        d.node(f"parser {number}", "object", "Parser", id=5009 + 20 * number)
        d.node(f"more {number}", "array", "system / PropertyArray", id=5011 + 20 * number)
        d.edge(f"parser {number}", "internal", "properties", f"more {number}")
    for run in range(max(0, runs - 11), runs):
        d.node(f"socket {run}", "object", "Socket", id=5001 + 20 * run)
        d.node(f"store {run}", "array", "system / PropertyArray", id=5003 + 20 * run)
        d.edge("pool", "element", run % 11, f"socket {run}")
        d.edge(f"socket {run}", "internal", "properties", f"store {run}")
        d.edge(f"socket {run}", "property", "parser", f"parser {run % 3}")
        if run in listed:
            d.edge("listed", "element", run, f"socket {run}")
    return d


def test_where_properties_are_kept_is_judged_with_the_objects_that_have_them():
    found = findings(keep_alive, 17)
    assert (found.verdict, [leak.type_name for leak in found.leaks]) == (Verdict.BOUNDED, ["Socket"])


def test_what_lists_a_part_of_a_pool_that_stands_still_is_no_leak():
    assert (
        findings(lambda runs: keep_alive(runs, (6, 7, 8, 9, 10, 12, 14, 15)), 17).verdict is Verdict.BOUNDED
    )
