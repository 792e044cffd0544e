"""The biggest dominators of one snapshot, and whose bytes the new objects are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.graph.sizes import measure_groups
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.top import Top, top

STORE = """
    module app -> m -[.store]-> store -[.items]-> items -[0]-> a; items -[1]-> b; items -[2]-> c
    m: module name=app; store: app.Store size=10; items: list size=100
    a: app.Item size=3; b: app.Item size=4; c: app.Item size=5
    a -> shared; b -> shared
    shared: bytes size=1000
    own: app.Recorder size=999 flags=own; root -> own
"""


def measure(text: str, **options: int) -> Top:
    return top(Heap(heap(text)), **options)


def test_the_tree_opens_from_the_biggest_down():
    first = measure(STORE).objects[0].children[0]
    assert (first.label, first.retained_bytes, first.retained_count) == ("Store", 1122, 6)
    below = first.children[0]
    assert [(row.label, row.retained_bytes) for row in below.children] == []
    assert (below.label, below.others) == ("Store.items", 0)


def test_what_two_share_belongs_to_their_dominator():
    rows = measure(STORE, depth=4).objects[0].children[0].children[0].children
    assert [(row.type_name, row.retained_bytes) for row in rows] == [
        ("bytes", 1000),
        ("app.Item", 5),
        ("app.Item", 4),
        ("app.Item", 3),
    ]


def test_what_is_not_listed_is_counted():
    below = measure(STORE, depth=4, limit=2).objects[0].children[0].children[0]
    assert (len(below.children), below.others, below.others_bytes) == (2, 2, 7)


def test_a_type_retains_what_goes_with_all_its_objects():
    found = {row.type_name: row.retained_bytes for row in measure(STORE).types}
    assert (found["app.Item"], found["app.Store"], found["list"]) == (1012, 1122, 1112)


def test_leakscan_itself_is_not_listed():
    assert [row.type_name for row in measure(STORE).objects] == ["module"]


def test_a_long_list_is_walked_without_recursion():
    links = "; ".join(f"n{i} -[.next]-> n{i + 1}" for i in range(3000))
    assert measure(f"root -> n0; {links}", depth=1).objects[0].retained_count == 3001


def group_sizes(text: str, *groups: str) -> tuple[list[tuple[int, int]], int, int, int]:
    graph = heap(text)
    run = Analysed(graph)
    ledger = measure_groups(run.region, [np.array([graph[n] for n in group.split()]) for group in groups])
    rows = [(row.exclusive_bytes, row.shared_bytes) for row in ledger.groups]
    return rows, ledger.shared_bytes, ledger.other_bytes, ledger.total_bytes


SHARED = """
    root -> old -> a, b
    a: app.A birth=1 size=1; b: app.B birth=1 size=2; both: app.C birth=1 size=40; mine: app.D birth=1 size=80
    a -> both, mine; b -> both
    old -> alone
    alone: app.E birth=2 size=500
"""


def test_sizes_of_groups_add_up_to_the_whole():
    rows, shared, other, total = group_sizes(SHARED, "a", "b")
    assert (rows, shared, other) == ([(81, 40), (2, 40)], 40, 500)
    assert 81 + 2 + shared + other == total


def test_contents_are_what_a_group_alone_holds():
    graph = heap(SHARED)
    run = Analysed(graph)
    ledger = measure_groups(run.region, [np.array([graph["a"]]), np.array([graph["b"]])])
    assert [row.contents for row in ledger.groups] == [(("app.D", 1, 80),), ()]


@given(
    count=st.integers(2, 14),
    edges=st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=40),
    new=st.sets(st.integers(1, 13)),
    cut=st.integers(1, 13),
)
def test_sizes_always_add_up(count: int, edges: list[tuple[int, int]], new: set[int], cut: int):
    lines = ["root -> n0", *(f"n{a % count} -> n{b % count}" for a, b in edges)]
    lines += [f"n{i}: app.C{i % 3} size={2**i} birth={1 if i in new else 0}" for i in range(count)]
    graph = heap("\n".join(lines))
    region = Analysed(graph).region
    heads = [int(obj) for obj in region.objects if region.is_new[region.index[obj]]]
    groups = [np.array(heads[:cut], np.uint32), np.array(heads[cut:], np.uint32)]
    ledger = measure_groups(region, groups)
    parts = sum(row.exclusive_bytes for row in ledger.groups) + ledger.shared_bytes + ledger.other_bytes
    assert parts == ledger.total_bytes == int(graph.sizes[region.objects].sum())
