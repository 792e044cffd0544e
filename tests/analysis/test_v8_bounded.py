"""What fills up and then keeps as much as it has, as programs for V8 write it."""

import io

from drawn_v8 import program
from leakscan.analysis.diff import Measured, diff
from leakscan.heap.reader import load
from leakscan.heap.v8_births import last_id, with_births
from v8_files import written

RUNS, WARM_UP = 20, 3
KEYS = ("globalThis.registry.keys[*]", "globalThis.registry.places.get(*)")
VALUES = ("globalThis.registry.values[*]",)


def cache(runs, *, room):
    """Keys in a list of fixed length, and in a Map from key to the place in it; values in another list."""
    d = program()
    for name in ("keys", "values", "places"):
        d.node(name, "object", "Map" if name == "places" else "Array")
        d.edge("registry", "property", name, name)
    d.node("table", "array", "", size=16 + 8 * (3 + 8 + 3 * 16))
    d.edge("places", "internal", "table", "table")
    for at, number in enumerate(range(WARM_UP + runs)[-room:]):
        d.node(f"key {number}", "string", f"session {number}", id=1001 + 100 * number)
        d.node(f"value {number}", "object", "Session", size=48, place=(7, 5), id=1003 + 100 * number)
        d.edge("keys", "element", number % room, f"key {number}")
        d.edge("values", "element", number % room, f"value {number}")
        # The value, a small integer, is no node.
        d.edge("table", "internal", str(3 * at + 11), f"key {number}")
    return d


def found_in(room):
    """As a capture has it: objects are dated, and classes are counted after each run, but texts are not."""
    graphs = [load(io.BytesIO(written(cache(run, room=room).content()))) for run in range(RUNS + 1)]
    marks = [last_id(graph) for graph in graphs]
    counts = {"Session": [min(room, WARM_UP + run) for run in range(RUNS + 1)]}
    last = with_births(graphs[-1], marks)
    found = diff(graphs[0], last, runs=RUNS, measured=Measured(type_counts=counts))
    return {leak.slots: (leak.count, leak.verdict.value) for leak in (*found.leaks, *found.others)}


def test_keys_of_a_cache_that_is_full_go_with_its_values():
    assert found_in(10) == {KEYS: (10, "bounded"), VALUES: (10, "bounded")}


def test_keys_of_a_cache_that_goes_on_filling_are_told_beside_its_values():
    assert found_in(50) == {KEYS: (20, "leak"), VALUES: (20, "leak")}
