"""Growth between two snapshots, told by what hangs on what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heaps import heap
from leakscan.analysis.objects.growing import Grown, GrowthTree
from leakscan.analysis.objects.heap import Heap

BEFORE = """
    module app -> table, cache, old
    table: app.Table size=100 birth=0; cache: dict size=500 birth=0; old: app.Old size=70 birth=0
    cache -['a']-> entry; entry: bytes size=1000 birth=0
    cache -['b']-> kept; kept: bytes size=10 birth=0
"""
AFTER = """
    module app -> table, cache
    table: app.Table size=100 birth=0; cache: dict size=400 birth=0
    cache -['b']-> kept; kept: bytes size=10 birth=0
    table -[.rows]-> rows; rows: list size=50 birth=1
    rows -[0]-> r0; r0: app.Row size=20 birth=1
    rows -[1]-> r1; r1: app.Row size=30 birth=2
"""


def grown(before: str = BEFORE, after: str = AFTER):
    meta = {"births": True}
    first, last = heap(before, meta=meta), heap(after, meta=meta)
    return GrowthTree(Heap(first), Heap(last)), last


def test_an_old_object_grew_by_what_it_keeps_more_than_it_did():
    tree, after = grown()
    below = tree.below(tree.root, 10)
    assert below.rows == (
        Grown(after["table"], "Table", "app.Table", 1, is_new=False, before_bytes=100, after_bytes=200),
    )


def test_what_went_away_and_what_shrank_is_told_apart():
    tree, after = grown()
    below = tree.below(tree.root, 10)
    assert (below.gone_count, below.gone_bytes, below.shrunk_bytes) == (1, 70, 1100)
    at_cache = tree.below(after["cache"], 10)
    assert (at_cache.rows, at_cache.gone_count, at_cache.gone_bytes) == ((), 1, 1000)


def test_new_objects_of_one_type_below_one_object_are_one_row():
    tree, after = grown()
    (row,) = tree.below(after["rows"], 10).rows
    assert (row.count, row.type_name, row.grew_bytes, row.object) == (2, "app.Row", 50, after["r1"])
    members = tree.members(after["rows"], "app.Row", 1)
    assert [(each.object, each.grew_bytes) for each in members] == [(after["r1"], 30)]


def test_the_sums_add_up_at_the_root():
    tree, _ = grown()
    before, after = tree.total(tree.root)
    below = tree.below(tree.root, 10)
    grew = sum(row.grew_bytes for row in below.rows)
    assert after - before == grew - below.gone_bytes - below.shrunk_bytes


def test_an_object_at_the_place_of_another_type_is_new():
    tree, _ = grown("module app -> a; a: app.One birth=0", "module app -> a; a: app.Two birth=0")
    (row,) = tree.below(tree.root, 10).rows
    assert row.is_new and row.before_bytes == 0


def test_equal_snapshots_grew_nowhere():
    tree, _ = grown(BEFORE, BEFORE)
    below = tree.below(tree.root, 10)
    assert (below.rows, below.gone_count, below.shrunk_bytes) == ((), 0, 0)


def test_an_object_of_one_of_two_classes_of_one_name_is_the_one_that_was_there():
    table = "module app -> a, b; a: app.A size={a} birth=0; b: app.B size=100 birth=0"
    heaps = []
    for size in (100, 300):
        graph = heap(table.format(a=size), meta={"births": True})
        name = next(row for row, full in enumerate(graph.type_names) if full == "app.B")
        names = np.full_like(graph.types.names, graph.types.names[name])
        drawn = heap(table.format(a=size), meta={"births": True})
        heaps.append(Heap(replace(drawn, types=replace(graph.types, names=names))))
    tree = GrowthTree(*heaps)
    assert [(row.is_new, row.grew_bytes) for row in tree.below(tree.root, 10).rows] == [(False, 200)]
