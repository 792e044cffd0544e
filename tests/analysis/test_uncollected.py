"""Objects of extension types that hide what they hold from the collector, and what CPython holds twice."""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import leakscan
from extensions import BUILT, build_boxes
from leakscan.analysis.graph.garbage import Liveness, find_garbage, liveness
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind

Boxes = Callable[[object], object]


class Held:
    pass


@pytest.fixture(scope="module")
def opaque() -> Boxes:
    """A type without tp_traverse that holds one object."""
    if reason := build_boxes():
        pytest.skip(reason)
    sys.path.insert(0, str(BUILT.parent))
    try:
        box: Boxes = importlib.import_module("boxes").OpaqueBox
        return box
    finally:
        sys.path.remove(str(BUILT.parent))


def recorded(folder: Path) -> tuple[HeapGraph, Liveness]:
    leakscan.snapshot(folder / "x.heap")
    graph = leakscan.load(folder / "x.heap")
    return graph, liveness(graph)


def of_type(graph: HeapGraph, name: str) -> list[int]:
    rows = [row for row, full in enumerate(graph.type_names) if full.rpartition(".")[2] == name]
    return list(np.flatnonzero(np.isin(graph.type_ids, rows)))


def test_what_an_opaque_object_holds_is_its_reference(opaque: Boxes, tmp_path: Path):
    box = opaque(Held())
    graph, life = recorded(tmp_path)
    (held,) = of_type(graph, "Held")
    (holder,) = of_type(graph, "OpaqueBox")
    found = [ref for ref in graph.references(holder) if graph.ref_targets[ref] == held]
    assert ([graph.kind(ref) for ref in found], bool(life.is_held_from_c[held])) == ([Kind.UNNAMED], False)
    del box


def test_a_cycle_through_it_lives_and_is_neither_garbage_nor_held_from_c(opaque: Boxes, tmp_path: Path):
    held = Held()
    held.box = opaque(held)
    address = id(held)
    del held
    graph, life = recorded(tmp_path)
    obj = int(np.flatnonzero(graph.addresses == address)[0])
    garbage = find_garbage(life)
    assert (bool(garbage.stuck[obj]), bool(garbage.collectable[obj]), bool(life.is_held_from_c[obj])) == (
        True,
        False,
        0,
    )


def test_garbage_that_only_holds_an_opaque_object_goes_with_what_is_in_it(opaque: Boxes, tmp_path: Path):
    ring = Held()
    ring.me, ring.box = ring, opaque(Held())
    address = id(ring)
    del ring
    graph, life = recorded(tmp_path)
    obj = int(np.flatnonzero(graph.addresses == address)[0])
    assert (bool(life.stuck[obj]), bool(life.is_live[obj])) == (False, False)


def test_the_keys_of_an_ordered_dict_are_held_by_it_twice(tmp_path: Path):
    table = OrderedDict((Held(), number) for number in range(30))
    del table[next(iter(table))]
    graph, life = recorded(tmp_path)
    keys = [obj for obj in of_type(graph, "Held") if graph.refcounts[obj] == 2]
    assert (len(keys), int(life.is_held_from_c[keys].sum())) == (29, 0)
