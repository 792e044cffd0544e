"""Who waits in drawn heaps of Node, and whose promise nothing that still runs can settle."""

import io

import pytest

from drawn_v8 import findings
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.waits import Answer, HeldBy, Waiter
from leakscan.analysis.stuck.find import find_stuck
from leakscan.heap.reader import load
from v8_files import Drawing, written


def program(*, of_node=True):
    """A module's scope with a Set in it, and a function whose calls wait."""
    d = Drawing()
    d.node("gc", "synthetic", "(GC roots)", size=0)
    d.node("handles", "synthetic", "(Global handles)", size=0)
    d.node("global", "object", "global")
    d.node("node", "native", "Node / Environment" if of_node else "Window")
    d.node("scope", "object", "system / Context")
    d.node("load", "closure", "load", place=(7, 4))
    d.node("shared", "code", "(shared function info)")
    d.node("script", "code", "file:///app/flow.mjs")
    d.edge("root", "element", 1, "gc")
    d.edge("root", "shortcut", "2", "global")
    d.edge("gc", "element", 1, "handles")
    d.edge("gc", "element", 2, "node")
    d.edge("global", "property", "load", "load")
    d.edge("load", "internal", "context", "scope")
    d.edge("load", "internal", "shared", "shared")
    d.edge("shared", "internal", "script_or_debug_info", "script")
    return d


def promise(d, key):
    d.node(key, "object", "Promise")
    return key


def reacting(d, key, handler):
    """One more reaction of a promise, after those that it has."""
    reaction = f"reaction {len(d.nodes)}"
    d.node(reaction, "object", "system / PromiseReaction")
    node = d.nodes[d.numbers[key]]
    old = [edge for edge in node.edges if edge[1] == "reactions_or_result"]
    node.edges = [edge for edge in node.edges if edge not in old]
    d.edge(key, "internal", "reactions_or_result", reaction)
    for edge in old:
        d.nodes[d.numbers[reaction]].edges.append(("hidden", 1, edge[2]))
    d.edge(reaction, "hidden", 2, handler)
    return reaction


def awaited(d, key, name="call"):
    """A call of `load` that awaits the promise and has a promise of its own, which is returned."""
    d.node(name, "object", "Generator")
    d.node(f"{name} await", "closure", "")
    d.node(f"{name} closure", "object", "system / Context")
    d.node(f"{name} order", "object", "Order", place=(7, 9))
    d.node(f"{name} registers", "array", "")
    d.edge(name, "internal", "function", "load")
    d.edge(name, "internal", "parameters_and_registers", f"{name} registers")
    d.edge(f"{name} registers", "internal", "1", f"{name} order")
    d.edge(name, "hidden", 3, promise(d, f"{name} promise"))
    d.edge(f"{name} closure", "internal", "extension", name)
    d.edge(f"{name} await", "internal", "context", f"{name} closure")
    reacting(d, key, f"{name} await")
    return f"{name} promise"


def resolver(d, key):
    """The resolve function of a promise."""
    function = f"resolve {key}"
    d.node(function, "closure", "")
    d.node(f"{function} scope", "object", "system / Context")
    d.edge(function, "internal", "context", f"{function} scope")
    d.edge(f"{function} scope", "hidden", 2, key)
    return function


def kept(d, key, *, by="scope"):
    """An entry of an array that a variable of the module holds."""
    if "list" not in d.numbers:
        d.node("list", "object", "Array")
        d.edge("scope", "context", "list", "list")
    d.edge("list", "element", len(d.nodes[d.numbers["list"]].edges), key)


def stuck(d):
    graph = load(io.BytesIO(written(d.content())))
    return find_stuck(graph, liveness(graph))


def answers(d):
    return [(group.waiter, group.name, group.count, group.answer) for group in stuck(d).groups]


LOAD = (Waiter.ASYNC_FUNCTION, "load", 1)


def waiting(*, of_node=True):
    """One call waits for a promise that an array keeps, and nothing has its resolve function."""
    d = program(of_node=of_node)
    awaited(d, promise(d, "p"))
    kept(d, "p")
    return d


def test_a_promise_that_only_an_array_keeps_is_never_settled():
    found = stuck(waiting())
    assert answers(waiting()) == [(*LOAD, Answer.NEVER)]
    [group] = found.groups
    assert (group.held_by, group.holder) == (HeldBy.COLLECTION, "load closure 'list'[*]")
    assert [(step.function, step.file, step.line) for step in group.chain] == [("load", "/app/flow.mjs", 5)]
    # The call, its order, its own promise, and the function that would go on with it.
    assert (found.never, found.only_they_hold_count) == (1, 4)


@pytest.mark.parametrize("edge", ["context", "property", "element", "internal", "weak"])
def test_whoever_reaches_the_resolve_function_can_settle_it(edge):
    d = waiting()
    d.node("holder", "object", "Request", place=(7, 8))
    kept(d, "holder")
    d.edge("holder", edge, 5 if edge == "element" else "resolve", resolver(d, "p"))
    assert answers(d) == [(*LOAD, Answer.CAN_WAKE)]


def test_a_resolve_function_that_only_the_call_itself_has_settles_nothing():
    d = waiting()
    d.edge("call order", "property", "resolve", resolver(d, "p"))
    assert answers(d) == [(*LOAD, Answer.NEVER)]


def test_native_code_may_settle_what_it_holds():
    by_handle = waiting()
    by_handle.edge("handles", "element", 1, "p")
    request = waiting()
    request.node("request", "object", "FSReqPromise")
    request.edge("handles", "element", 1, "request")
    request.edge("request", "property", "promise", "p")
    unknown = waiting()
    unknown.node("structure", "hidden", "system / SomeStructure")
    unknown.edge("gc", "element", 3, "structure")
    unknown.edge("structure", "hidden", 1, "p")
    for drawn in (by_handle, request, unknown):
        assert answers(drawn) == [(*LOAD, Answer.CAN_WAKE)]


def test_a_promise_of_then_goes_with_the_one_that_it_was_made_from():
    for is_live in (True, False):
        d = waiting()
        reaction = reacting(d, promise(d, "first"), "load")
        d.edge(reaction, "hidden", 4, "p")
        kept(d, "first")
        if is_live:
            d.edge("scope", "context", "go", resolver(d, "first"))
        found = {group.waiter: group.answer for group in stuck(d).groups}
        expected = Answer.CAN_WAKE if is_live else Answer.NEVER
        assert found == {Waiter.ASYNC_FUNCTION: expected, Waiter.PROMISE: expected}


def test_calls_that_await_each_other_are_one_wait_told_from_the_outermost():
    d = program()
    inner = awaited(d, promise(d, "p"), "inner")
    awaited(d, inner, "outer")
    kept(d, "p")
    [group] = stuck(d).groups
    assert (group.count, group.answer, len(group.chain)) == (1, Answer.NEVER, 2)
    d.edge("scope", "context", "go", resolver(d, "p"))
    assert answers(d) == [(*LOAD, Answer.CAN_WAKE)]


def test_two_that_wait_for_each_other_never_wake():
    d = program()
    kept(d, awaited(d, promise(d, "unused"), "a"))
    kept(d, awaited(d, "a promise", "b"))
    d.nodes[d.numbers["unused"]].edges.clear()
    reacting(d, "b promise", "a await")
    assert answers(d) == [(Waiter.ASYNC_FUNCTION, "load", 2, Answer.NEVER)]


def test_callbacks_of_a_promise_that_is_never_settled_are_told_with_it():
    d = program()
    d.node("done", "closure", "done", place=(7, 20))
    d.edge("done", "internal", "shared", "shared")
    for number in range(3):
        reacting(d, promise(d, f"p {number}"), "done")
        kept(d, f"p {number}")
    assert answers(d) == [(Waiter.PROMISE, "", 3, Answer.NEVER)]


def test_the_only_promise_of_a_variable_may_be_meant_to_wait_for_ever():
    d = program()
    awaited(d, promise(d, "never"))
    d.edge("scope", "context", "never", "never")
    assert answers(d) == [(*LOAD, Answer.MEANT)]
    # One whose resolve function those who wait have was not left without one.
    d.edge("call order", "property", "resolve", resolver(d, "never"))
    assert answers(d) == [(*LOAD, Answer.NEVER)]


def test_a_heap_that_is_not_of_node_accuses_nobody():
    assert answers(waiting(of_node=False)) == []


def test_a_leak_that_only_calls_hold_which_never_wake_says_so():
    def drawn(runs):
        d = program()
        for run in range(runs):
            awaited(d, promise(d, f"p {run}"), f"call {run}")
            kept(d, f"p {run}")
        return d

    found = findings(drawn)
    [leak] = found.leaks
    assert (leak.type_name, leak.count, leak.stuck.count, leak.stuck.alone_hold) == ("Order", 12, 12, True)
    assert (
        "only 12 async functions load hold them and can never wake: nothing that still runs can settle "
        "the promise that they wait for"
    ) in found.headline
