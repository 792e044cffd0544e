"""Whether an object is the one that was at its address before."""

from __future__ import annotations

import numpy as np
import pytest

from heaps import DrawnHeap, heap
from leakscan.analysis.births.identity import known_by_neighbours, known_by_place


def known(found: np.ndarray, after: DrawnHeap) -> list[str]:
    return after.spell(np.flatnonzero(found))


def test_objects_of_a_type_sixteen_bytes_apart_are_told_apart():
    before = heap("root -> a; a: app.A addr=0x1000")
    after = heap("root -> a, b, c; a: app.A addr=0x1000; b: app.A addr=0x1010; c: app.A addr=0x1080")
    assert known(known_by_place(before, after, np.arange(3)), after) == ["a"]


def test_objects_of_a_type_at_both_ends_of_the_address_space_are_told_apart():
    before = heap("root -> a; a: app.A addr=0x7f0000001000")
    after = heap("root -> a, b; a: app.A addr=0x7f0000001000; b: app.A addr=0x3f0000001000")
    assert known(known_by_place(before, after, np.arange(2)), after) == ["a"]


def moved(holders: int) -> tuple[DrawnHeap, DrawnHeap]:
    """An object that another one holds now, with a neighbour that so many objects hold."""
    others = "; ".join(f"root -> o{number} -> near" for number in range(holders - 1))
    drawing = "root -> a, b; {} -> x -> near; x: app.X; near: app.Near;"
    before, after = (heap(drawing.format(holder) + others) for holder in "ab")
    return before, after


@pytest.mark.parametrize(("holders", "expected"), [(1, True), (4, True), (5, False)])
def test_a_neighbour_tells_who_an_object_is_unless_many_hold_it(holders: int, expected: bool):
    before, after = moved(holders)
    assert bool(known_by_neighbours(before, after, np.array([after["x"]]))[0]) is expected
