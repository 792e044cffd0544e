"""The holder: what it is called, how much it grew, what bounds it, and where its code is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drawn_leaks import reached
from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.slots.entries import Entries, count_entries
from leakscan.analysis.slots.holder import bound_of
from leakscan.analysis.slots.reach import new_graph
from leakscan.analysis.slots.slots import find_slots

APP = """
    module app.flows -> flows -[.default]-> workflow -[._runs]-> runs
    flows: module name=app.flows at=app/flows.py:1
    workflow: app.flows.Workflow
    runs: dict
    Workflow: type name=Workflow defines=app.flows.Workflow flags=tracked,type
    flows -[.Workflow]-> Workflow -[.__init__]-> init -[slot __code__]-> code
    Workflow -[.close]-> close -[slot __code__]-> code2
    init: function name=Workflow.__init__; code: code at=app/flows.py:31
    close: function name=Workflow.close; code2: code at=app/flows.py:12
    flows -[.CACHE]-> cache; cache: list
    flows -[.quote]-> wrapper -[slot cache]-> entries
    wrapper: functools._lru_cache_wrapper bound=128; entries: dict
    flows -[.recent]-> recent; recent: collections.deque bound=50
    flows -[.make]-> make -[slot __closure__]-> cells -[0]-> cell -[slot cell_contents]-> seen
    make: function name='make.<locals>.handler'; cells: tuple; cell: cell name=seen; seen: list
    make -[slot __code__]-> code3; code3: code at=app/flows.py:77
    Workflow -[.registry]-> registry; registry: dict
"""
RUNS = "runs -['a']-> a; runs -['b']-> b; runs -[key 'a']-> k; a: app.Run birth=1; b: app.Run birth=2"


@dataclass(frozen=True)
class Facts:
    holder: str
    entries: Entries | None
    bound: int | None
    bound_is_enforced: bool


def facts(name: str, *, before: str | None = APP, added: str = "") -> Facts:
    earlier, graph = heap(before or "root -> other", meta={"births": True}), heap(APP + added)
    reach = reached(earlier, graph)
    names = SlotNames(graph, reach.modules.type_tiers, reach.paths.parent_ref)
    known = Earlier(earlier, graph)
    entries = [
        count_entries(known, reach, names, slot, runs=2)
        for slot in find_slots(known, reach, new_graph(reach), names).slots
        if slot.holder == graph[name]
    ]
    bound, is_enforced = bound_of(names, graph[name])
    return Facts(names.holder_label(graph[name]), entries[0] if entries else None, bound, is_enforced)


def label(name: str) -> str:
    return facts(name).holder


def test_a_container_is_called_by_the_class_that_owns_it():
    assert facts("runs", added=RUNS).holder == "Workflow._runs"


def test_entries_are_counted_before_and_after_and_keys_are_none():
    entries = facts("runs", added=RUNS).entries
    assert (entries.before, entries.after, entries.new, entries.births) == (0, 2, 2, (1, 1))


def test_entries_before_are_unknown_when_the_container_was_not_there():
    assert facts("runs", before=APP.replace("._runs", ".other"), added=RUNS).entries.before == 0
    assert facts("runs", before=None, added=RUNS).entries is None


def test_a_module_level_container_is_called_by_its_module():
    assert label("cache") == "app.flows.CACHE"


def test_a_class_attribute_is_called_by_its_class():
    assert label("registry") == "Workflow.registry"


def test_a_closure_variable_is_called_by_its_function():
    assert label("seen") == "make.<locals>.handler closure 'seen'"


def test_the_bound_of_an_lru_cache_is_one_the_runtime_keeps():
    found = facts("entries")
    assert (found.holder, found.bound, found.bound_is_enforced) == (
        "app.flows.quote.cache",
        128,
        True,
    )


def test_the_bound_of_a_deque_is_its_own():
    found = facts("recent")
    assert (found.bound, found.bound_is_enforced) == (50, True)


@pytest.mark.parametrize(("number", "bound"), [(2**31 - 2, 2**31 - 2), (2**31 - 1, None)])
def test_as_large_a_number_as_fits_is_no_bound(number: int, bound: int | None):
    assert facts("runs", added=f"workflow: app.flows.Workflow bound={number}").bound == bound


def test_a_number_beside_the_container_is_a_bound_that_may_not_be_kept():
    found = facts("runs", added="workflow: app.flows.Workflow bound=1000")
    assert (found.bound, found.bound_is_enforced) == (1000, False)


def test_a_name_that_a_known_object_has_is_room_for_one_value():
    entries = facts("workflow", added="workflow -[.last]-> r; r: app.Run birth=1").entries
    assert (entries.before, entries.after, entries.places) == (0, 1, 1)


def test_two_classes_of_one_name_are_told_apart_by_their_modules():
    found = facts("runs", added="root -> other; other: lib.Workflow")
    assert found.holder == "app.flows.Workflow._runs"


def test_what_no_application_code_owns_is_called_by_the_nearest_library_class():
    graph = heap("root -> loop -[._ready]-> ready; loop: asyncio.events.Loop; ready: collections.deque")
    assert Analysed(graph).names.holder_label(graph["ready"]) == "Loop._ready"


def test_what_the_interpreter_holds_is_called_by_its_root():
    graph = heap("interpreter atexit callbacks -> callbacks -[0]-> f; callbacks: list")
    assert Analysed(graph).names.holder_label(graph["callbacks"]) == "root 'atexit callbacks'"


def test_a_context_variable_is_a_name_of_its_own():
    graph = heap("root -> context -[context trace]-> spans; spans: list; context: Context")
    assert Analysed(graph).names.holder_label(graph["spans"]) == "context variable 'trace'"


def test_a_thread_local_is_a_name_of_its_own():
    graph = heap("""
        root -> dummy -[?]-> values -['connections']-> held
        dummy: _thread._localdummy; values: dict; held: list
    """)
    assert Analysed(graph).names.holder_label(graph["held"]) == "thread local 'connections'"


def test_labels_survive_control_characters_in_keys():
    graph = heap(
        "module app -> m -[.d]-> d -['a\\x1b[31m\\u202e']-> x; m: module name=app; d: dict".replace(
            "\\x1b", "\x1b"
        )
    )
    assert "\x1b" not in Analysed(graph).names.holder_label(graph["x"])
