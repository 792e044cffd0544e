"""The drawing language of the tests itself."""

import pytest

from heaps import from_edges, heap
from leakscan.heap.kinds import BIRTH_UNKNOWN, BORROWED, IMMORTAL, Kind, RootKind


def drawn_references(graph):
    names = list(graph.numbers)
    return [
        (names[obj], graph.kind(ref).name, graph.label(ref), names[graph.ref_targets[ref]])
        for obj in range(graph.object_count)
        for ref in graph.references(obj)
    ]


def test_a_bare_arrow_is_the_attribute_named_after_its_target():
    graph = heap("root -> a; a -> b, c; b -> d; c -> d")
    assert drawn_references(graph) == [
        ("a", "ATTRIBUTE", "b", "b"),
        ("a", "ATTRIBUTE", "c", "c"),
        ("b", "ATTRIBUTE", "d", "d"),
        ("c", "ATTRIBUTE", "d", "d"),
    ]


@pytest.mark.parametrize(
    ("label", "kind", "text"),
    [
        ("._runs", "ATTRIBUTE", "_runs"),
        ("'run-1'", "KEY_STR", "run-1"),
        ("'a; b -> c'", "KEY_STR", "a; b -> c"),
        ("int 17", "KEY_INT", "17"),
        ("<Point>", "KEY_OTHER", "Point"),
        ("key 'name'", "KEY", "name"),
        ("3", "INDEX", "3"),
        ("{}", "MEMBER", ""),
        ("~", "WEAK", ""),
        ("?", "UNNAMED", ""),
        (".__dict__", "DICT", ""),
        ("__class__", "TYPE", ""),
        ("slot __self__", "SLOT", "__self__"),
        ("local x", "LOCAL", "x"),
        ("stack 2", "STACK", "2"),
        ("element .get('x')", "ELEMENT", ".get('x')"),
    ],
)
def test_every_label_has_a_spelling(label, kind, text):
    assert drawn_references(heap(f"a -[{label}]-> b")) == [("a", kind, text, "b")]


def test_chains_go_on_from_every_target():
    assert [row[::3] for row in drawn_references(heap("a -> b, c -> d"))] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "d"),
        ("c", "d"),
    ]


def test_roots_have_their_kinds_and_labels():
    graph = heap("module a.b -> x; thread Main -> y; interpreter atexit callbacks -> z; static int => t")
    assert [(graph.root_kind(i).name, graph.root_label(i)) for i in range(4)] == [
        ("MODULE", "a.b"),
        ("THREAD", "thread 'Main'"),
        ("INTERPRETER", "atexit callbacks"),
        ("STATIC_TYPE", "int"),
    ]
    assert graph.roots.flags.tolist() == [0, 0, 0, 1]


def test_reference_counts_are_what_the_drawing_explains():
    graph = heap("root -> a; a -> b; c =[.x]=> b; c -[~]-> b; d: dict refcount=+1; i: int refcount=immortal")
    assert dict(zip(graph.numbers, graph.refcounts.tolist(), strict=True)) == {
        "a": 1,
        "b": 1,
        "c": 0,
        "d": 1,
        "i": IMMORTAL,
    }
    assert graph.ref_kinds.tolist() == [Kind.ATTRIBUTE, Kind.ATTRIBUTE | BORROWED, Kind.WEAK]


def test_a_declaration_sets_type_size_birth_name_place_and_bound():
    graph = heap("out: streamlab.ModelOutput size=100 birth=3 name='my out' at=a/b.py:31 bound=8; x")
    obj = graph["out"]
    assert graph.type_name(obj) == "streamlab.ModelOutput"
    assert (graph.sizes[obj], graph.births[obj], graph.births[graph["x"]]) == (100, 3, 0)
    assert (graph.name_of(obj), graph.location_of(obj).line, graph.bounds[obj]) == ("my out", 31, 8)


def test_births_are_unknown_when_none_is_drawn():
    assert heap("a -> b").births.tolist() == [BIRTH_UNKNOWN, BIRTH_UNKNOWN]


def test_the_same_name_is_at_the_same_address_in_two_drawings():
    assert heap("a -> b").addresses[1] == heap("b -> a").addresses[0]


def test_a_word_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="colour"):
        heap("a: dict colour=red")


def test_edges_make_a_heap_without_names():
    graph = from_edges(3, [(1, 2), (0, 1)], roots=[0])
    assert (graph.ref_targets.tolist(), graph.first_ref.tolist()) == ([1, 2], [0, 1, 2, 2])
    assert graph.root_kind(0) == RootKind.INTERPRETER
