"""Cuts: the smallest set of references that frees the survivors, and what each one does alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.cuts.cuts import CutSlot
from leakscan.analysis.cuts.whatif import freed_by
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.region import find_region
from leakscan.analysis.results.findings import Cut

ONE_HOLDER = """
    module app -[.registry]-> registry -[._runs]-> runs
    registry: app.Registry
    runs: dict
    runs -['a']-> s1; runs -['b']-> s2; runs -['c']-> s3
    s1: app.Run birth=1 size=10; s2: app.Run birth=2 size=10; s3: app.Run birth=3 size=10
"""
TWO_HOLDERS = (
    ONE_HOLDER
    + """
    module bus -[.emitter]-> emitter -[.handlers]-> handlers -['chunk']-> listeners
    emitter: bus.Emitter; handlers: dict; listeners: list
    listeners -[0]-> f1 -> s1; listeners -[1]-> f2 -> s2; listeners -[2]-> f3 -> s3
    f1: bus.Handler birth=1; f2: bus.Handler birth=2; f3: bus.Handler birth=3
"""
)


def cut_of(text: str, *survivors: str) -> Cut | None:
    graph = heap(_with_modules(text))
    return Analysed(graph).cuts.cut_for(np.array([graph[name] for name in survivors], np.uint32))


def _with_modules(text: str) -> str:
    """`module app -[.x]-> y` draws the module object between the root and its global."""
    lines = []
    for line in text.splitlines():
        words = line.split("module ", 1)
        if len(words) == 2 and "-[." in words[1]:
            name, rest = words[1].split(" ", 1)
            lines += [f"module {name} -> m_{name}", f"m_{name} {rest}", f"m_{name}: module name={name}"]
        else:
            lines.append(line)
    return "\n".join(lines)


def patterns(cut: Cut | None) -> list[str]:
    return [] if cut is None else [member.pattern for member in cut.members]


def test_all_entries_of_one_container_are_one_cut():
    cut = cut_of(ONE_HOLDER, "s1", "s2", "s3")
    assert (patterns(cut), cut.frees, cut.of, cut.frees_bytes) == (["Registry._runs[*]"], 3, 3, 30)


def test_two_holders_must_both_be_cut_and_neither_frees_anything_alone():
    cut = cut_of(TWO_HOLDERS, "s1", "s2", "s3")
    assert [(row.pattern, row.frees_alone) for row in cut.members] == [
        ("Emitter.handlers['chunk'][*]", 0),
        ("Registry._runs[*]", 0),
    ]
    assert (cut.frees, cut.of, cut.is_minimal) == (3, 3, True)


def test_one_attribute_of_the_new_objects_is_preferred_to_two_holders():
    text = """
        module app -[.a]-> a -[0]-> r1 -[.output]-> s1; a -[1]-> r2 -[.output]-> s2
        module app2 -[.b]-> b -[0]-> r1; b -[1]-> r2
        a: list; b: list; r1: app.Run birth=1; r2: app.Run birth=2
        s1: app.Output birth=1 size=7; s2: app.Output birth=2 size=7
    """
    cut = cut_of(text, "s1", "s2")
    assert (patterns(cut), cut.frees, cut.frees_bytes) == (["Run.output"], 2, 14)


def test_with_one_holder_the_holder_is_cut_and_not_what_lies_below_it():
    text = """
        module app -[.a]-> a -[0]-> r1 -[.output]-> s1; a -[1]-> r2 -[.output]-> s2
        a: list; r1: app.Run birth=1; r2: app.Run birth=2; s1: app.Output birth=1; s2: app.Output birth=2
    """
    assert patterns(cut_of(text, "s1", "s2")) == ["app.a[*]"]


def test_the_same_attribute_of_many_old_objects_is_one_cut():
    text = """
        module app -[.users]-> users -[0]-> u1 -[.last]-> s1; users -[1]-> u2 -[.last]-> s2
        users: list; u1: app.User; u2: app.User; s1: app.Page birth=1; s2: app.Page birth=2
    """
    cut = cut_of(text, "s1", "s2")
    assert [(row.pattern, row.reference_count) for row in cut.members] == [("User.last", 2)]


def test_a_single_new_entry_is_named_by_its_key():
    text = """
        module app -[.cache]-> cache -['last']-> s1; cache -['first']-> old
        cache: dict; s1: app.Page birth=4
    """
    assert patterns(cut_of(text, "s1")) == ["app.cache['last']"]


def test_what_is_held_from_c_as_well_cannot_be_freed_by_a_cut():
    text = """
        module app -[.a]-> a -[0]-> s1; a -[1]-> s2
        a: list; s1: app.Page birth=1 refcount=+1; s2: app.Page birth=2
    """
    cut = cut_of(text, "s1", "s2")
    assert (patterns(cut), cut.frees, cut.of) == (["app.a[*]"], 1, 2)


def test_nothing_can_be_cut_when_everything_is_held_from_c():
    assert cut_of("root -> x; s1: app.Page birth=1 refcount=+1", "s1") is None


def test_a_callback_list_of_the_interpreter_is_a_cut():
    text = "interpreter atexit callbacks -> f1; f1 -> s1; f1: function birth=1; s1: app.Page birth=1"
    assert patterns(cut_of(text, "s1")) == ["root 'atexit callbacks'"]


def test_old_objects_that_a_cut_would_free_are_counted():
    text = """
        module app -[.box]-> box -[.item]-> s1 -[.config]-> moved
        box: app.Box; s1: app.Page birth=1; moved: app.Config size=5
    """
    assert [row.frees_old for row in cut_of(text, "s1").members] == [1]


def test_a_closure_variable_is_named_by_the_function():
    text = """
        module app -[.handler]-> handler -[slot __closure__]-> cells -[0]-> cell -[slot cell_contents]-> seen
        seen -[0]-> s1; seen -[1]-> s2
        handler: function name='counter.<locals>.handler'; cells: tuple; cell: cell name=seen; seen: list
        s1: app.Page birth=1; s2: app.Page birth=2
    """
    assert patterns(cut_of(text, "s1", "s2")) == ["counter.<locals>.handler closure 'seen'[*]"]


def test_weak_references_need_no_cut():
    text = """
        module app -[.a]-> a -[0]-> s1
        module other -[.weak]-> w -[~]-> s1
        a: list; w: weakref; s1: app.Page birth=1
    """
    assert patterns(cut_of(text, "s1")) == ["app.a[0]"]


SUPERFLUOUS = """
root -> h, g; h -[.x]-> n2; h -[.y]-> n1; h -[.z]-> n1
g -[.z]-> n0 -[.y]-> n1 -[.z]-> n3 -[.y]-> n2; n3 -[.z]-> n2
n0: app.N birth=1; n1: app.O birth=1; n2: app.P birth=1; n3: app.N birth=1; h: app.H; g: app.G
"""
"""One attribute of a class on two objects: a flow takes three slots, of which two are enough."""


@pytest.mark.parametrize(("copies", "members"), [(4, 8), (5, 15)])
def test_a_cut_of_a_dozen_slots_is_cleared_of_those_that_the_others_do_without(copies: int, members: int):
    drawings = (re.sub(r"\b([ghn]\d?|app\.\w)\b", rf"\1_{copy}", SUPERFLUOUS) for copy in range(copies))
    graph = heap("\n".join(drawings))
    found = Analysed(graph).cuts.cut_for(np.array([graph[f"n2_{copy}"] for copy in range(copies)], np.uint32))
    assert found is not None and (len(found.members), found.frees, found.is_minimal) == (
        members,
        copies,
        False,
    )


def test_each_of_a_thousand_containers_is_a_slot_of_its_own():
    entries = "\n".join(
        f"s -[.a{at}]-> l{at} -[0]-> x{at}; l{at}: list; x{at}: app.X birth=1" for at in range(1500)
    )
    search = Analysed(heap(f"module app -> m -[.S]-> s; m: module name=app; s: app.State\n{entries}")).cuts
    assert len({slot.pattern for slot in search.slots[: search.inner_from]}) == 1500


@st.composite
def drawn_graphs(draw: st.DrawFn) -> tuple[str, list[str]]:
    count = draw(st.integers(2, 12))
    is_new = [draw(st.booleans()) for _ in range(count)]
    edges = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    held = draw(st.lists(st.integers(0, count - 1), max_size=2))
    lines = ["root -> n0"]
    lines += [f"n{a} -[.to{b}]-> n{b}" for a, b in edges]
    for number, new in enumerate(is_new):
        birth = 1 if new and number else 0
        extra = " refcount=+1" if number in held else ""
        lines.append(f"n{number}: app.C{number} birth={birth} size={number + 1}{extra}")
    return "\n".join(lines), [f"n{number}" for number, new in enumerate(is_new) if new and number]


@given(drawn_graphs())
def test_the_region_frees_what_the_whole_graph_frees(drawn: tuple[str, list[str]]):
    graph = heap(drawn[0])
    run = Analysed(graph)
    region = run.region
    chosen = np.concatenate((region.entry_refs, region.edge_refs))[::2]
    freed = np.zeros(graph.object_count, np.bool_)
    freed[region.objects[region.freed_by(chosen)]] = True
    whole = freed_by(graph, run.life, chosen, np.zeros(0, np.uint32))
    assert freed.tolist() == whole.tolist()


@given(drawn_graphs())
def test_no_smaller_set_of_slots_frees_as_much(drawn: tuple[str, list[str]]):
    text, survivors = drawn
    graph = heap(text)
    run = Analysed(graph)
    wanted = [graph[name] for name in survivors if run.life.is_live[graph[name]]]
    if not wanted:
        return
    search = run.cuts
    found = search.cut_for(np.array(wanted, np.uint32))
    everything = _frees(run, search.slots[: search.inner_from], wanted) or _frees(run, search.slots, wanted)
    at_the_frontier = {slot.pattern for slot in search.slots[: search.inner_from]}
    is_frontier = found is not None and {member.pattern for member in found.members} <= at_the_frontier
    tried = search.slots[: search.inner_from] if is_frontier else search.slots
    alone = max((_frees(run, [slot], wanted) for slot in tried), default=0)
    if found is None:
        assert everything == 0
    else:
        assert found.frees == everything
        assert len(found.members) == 1 or not found.is_minimal or alone < everything


def _frees(run: Analysed, slots: Sequence[CutSlot], wanted: list[int]) -> int:
    """Brute force over the whole snapshot: survivors that die without these slots' references."""
    graph = run.graph
    gone = {int(ref) for slot in slots for ref in slot.refs}
    gone_roots = {int(row) for slot in slots for row in slot.root_rows}
    edges = [
        (obj, int(graph.ref_targets[ref]))
        for obj in range(graph.object_count)
        for ref in graph.references(obj)
        if ref not in gone and not run.life.weak[ref]
    ]
    roots = [int(graph.roots.targets[row]) for row in range(len(graph.roots)) if row not in gone_roots]
    roots += np.flatnonzero(run.life.is_held_from_c).tolist()
    reached: set[int] = set()
    while roots:
        obj = roots.pop()
        if obj not in reached:
            reached.add(obj)
            roots += [target for source, target in edges if source == obj]
    return sum(obj not in reached for obj in wanted)


def test_the_region_of_a_snapshot_without_new_objects_is_empty():
    run = Analysed(heap(_with_modules(ONE_HOLDER)))
    region = find_region(run.graph, run.life, np.zeros(run.graph.object_count, np.bool_))
    assert (len(region), len(region.entry_refs), int((region.index != NO).sum())) == (0, 0, 0)
