"""One object of a drawn heap: what it holds, what holds it, and how it is reached."""

from __future__ import annotations

from heaps import heap
from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.heap import Heap

APP = """
module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict
ns -['flow']-> flow; flow: app.Workflow birth=0 size=10
flow -[.__dict__]-> own; own: dict size=20; own -['_runs']-> runs; runs: dict size=30 birth=0
runs -['run-1']-> one; one: app.Run birth=1 size=100
runs -['run-2']-> two; two: app.Run birth=2 size=200
ns -['bus']-> bus; bus: app.Bus birth=0; bus -[.last]-> two
one -[~]-> two
"""


def test_attributes_read_the_same_inline_and_in_a_dict():
    graph = heap(APP)
    fields = view(Heap(graph), graph["flow"]).fields
    assert [(each.text, each.other.object) for each in fields] == [("._runs", graph["runs"])]


def test_what_only_this_object_keeps_is_told_from_what_others_hold_too():
    graph = heap(APP)
    fields = {each.text: each.is_only for each in view(Heap(graph), graph["runs"]).fields}
    assert fields == {"['run-1']": True, "['run-2']": False}


def test_holders_are_named_by_their_slot_and_weak_ones_come_last():
    graph = heap(APP)
    seen = view(Heap(graph), graph["two"])
    assert [(each.other.object, each.text, each.is_weak) for each in seen.holders] == [
        (graph["bus"], ".last", False),
        (graph["runs"], "['run-2']", False),
        (graph["one"], "weak", True),
    ]


def test_every_independent_path_is_told_and_no_path_passes_the_object_itself():
    graph = heap(APP + "two -[.again]-> loop; loop: app.Loop; loop -[.owner]-> two")
    paths = view(Heap(graph), graph["two"]).paths
    assert [[step.reference for step in path.steps] for path in paths] == [
        ["bus", ".last"],
        ["flow", "._runs", "['run-2']"],
    ]


def test_many_entries_of_one_container_are_one_way():
    entries = "; ".join(f"list -[{number}]-> item" for number in range(50))
    graph = heap(
        f"module app -> m; m: module name=app; m -[.l]-> list; list: list; item: app.Item; {entries}"
    )
    assert len(view(Heap(graph), graph["item"]).paths) == 1


def test_ways_that_are_not_written_are_counted():
    rows = "; ".join(f"m -[.n{chr(97 + n)}]-> h{n}; h{n}: app.H{n}; h{n} -[.x]-> item" for n in range(9))
    graph = heap(f"module app -> m; m: module name=app; item: app.Item; {rows}")
    seen = view(Heap(graph), graph["item"])
    assert (len(seen.paths), seen.paths_omitted) == (6, 3)


def test_dominators_go_up_to_the_root_and_carry_what_goes_with_them():
    graph = heap(APP)
    seen = view(Heap(graph), graph["one"])
    assert seen.dominators[0].object == graph["runs"]
    assert seen.this.retained_bytes == 100
    assert view(Heap(graph), graph["runs"]).this.retained_bytes == 130


def test_births_are_told():
    graph = heap(APP)
    notes = [view(Heap(graph), graph[name]).birth_note for name in ("flow", "two")]
    assert notes == ["before the runs", "in run 2"]


def test_garbage_has_no_path_and_says_so():
    graph = heap(APP + "a -[.b]-> b; b -[.a]-> a; a: app.Node; b: app.Node")
    seen = view(Heap(graph), graph["a"])
    assert (seen.is_live, seen.paths, seen.dominators) == (False, (), ())


def test_of_a_big_container_the_entries_that_retain_most_are_shown_and_the_rest_counted():
    rows = "; ".join(f"list -[{n}]-> o{n}; o{n}: app.Item size={n + 1}" for n in range(300))
    graph = heap(f"module app -> m; m: module name=app; m -[.l]-> list; list: list; {rows}")
    seen = view(Heap(graph), graph["list"], limit=3)
    assert ([each.text for each in seen.fields], seen.field_count) == (["[297]", "[298]", "[299]"], 300)


def test_leakscans_own_objects_are_not_shown_as_holders():
    graph = heap(APP + "own thread sampler -> f; f: leakscan.Frame flags=own; f -[.kept]-> one")
    holders = view(Heap(graph), graph["one"]).holders
    assert [each.other.object for each in holders] == [graph["runs"]]


def test_an_object_that_a_root_holds_directly_says_which():
    graph = heap(APP + "thread MainThread -> two")
    assert view(Heap(graph), graph["two"]).roots == ("thread 'MainThread'",)


def test_a_heap_without_references_can_be_looked_at():
    graph = heap("module app -> m; m: module name=app")
    seen = view(Heap(graph), graph["m"])
    assert (seen.fields, seen.holders, seen.roots) == ((), (), ("module app",))


def test_six_ways_to_an_object_are_told():
    ways = "; ".join(f"root -> h{at} -[.{at}]-> item; h{at}: app.H" for at in "abcdefghi")
    graph = heap(f"{ways}; item: app.Item")
    assert len(view(Heap(graph), graph["item"]).paths) == 6


def test_another_way_is_found_behind_dozens_of_entries():
    entries = "; ".join(f"list -[{number}]-> item" for number in range(50))
    far = "m -[.a]-> a -[.b]-> b -[.x]-> item; a: app.A; b: app.B"
    graph = heap(
        f"module app -> m; m: module name=app; m -[.l]-> list; list: list; item: app.Item; {entries}; {far}"
    )
    assert len(view(Heap(graph), graph["item"]).paths) == 2


def test_what_a_closure_holds_is_held_by_its_function():
    graph = heap(
        "root -> f -[slot __closure__]-> t -[0]-> c -[slot cell_contents]-> x"
        "; f: function; t: tuple; c: cell name=x"
    )
    (holder,) = view(Heap(graph), graph["x"]).holders
    assert holder.other.object == graph["f"]


def test_what_dominates_a_link_is_told_up_to_the_first_of_many():
    links = "; ".join(f"n{at} -[.next]-> n{at + 1}; n{at}: app.Node" for at in range(150))
    graph = heap(f"root -> n0; {links}; n150: app.Node")
    assert len(Heap(graph).dominators_of(graph["n150"])) == 150
