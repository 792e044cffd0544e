"""A cut applied for real, in a forked child."""

from __future__ import annotations

import collections
import sys

import pytest

from leakscan.record import births
from leakscan.record.cutting import ATTRIBUTE, INDEX, KEY, KEY_STR, MEMBER, SLOT, prove


class Node:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("held",)


def closure_over(held):
    return (lambda: held).__closure__[0]


def slotted(held):
    holder = Slotted()
    holder.held = held
    return holder


def counts(result):
    return result["of"], result["freed"], result["not_cleared"]


@pytest.mark.parametrize(
    ("hold", "kind", "label"),
    [
        (lambda node: {"x": node}, KEY_STR, "x"),
        (lambda node: {node: "x"}, KEY, "<Node>"),
        (lambda node: [0, node], INDEX, "1"),
        (lambda node: collections.deque([node]), INDEX, "0"),
        (lambda node: {node}, MEMBER, ""),
        (closure_over, SLOT, "cell_contents"),
        (slotted, SLOT, "held"),
        (lambda node: Node(held=node), ATTRIBUTE, "held"),
    ],
)
def test_a_reference_of_each_kind_is_cleared_and_what_it_held_is_freed(hold, kind, label):
    node = Node()
    address, holder = id(node), hold(node)
    del node
    result = prove([(id(holder), kind, label, address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_what_something_else_holds_is_not_freed():
    node = Node()
    holder = [node]
    result = prove([(id(holder), INDEX, "0", id(node))], [(id(node), 0, True)])
    assert counts(result) == (1, 0, [])


def test_the_process_itself_keeps_everything():
    node = Node()
    holder = [node]
    prove([(id(holder), INDEX, "0", id(node))], [(id(node), 0, True)])
    assert holder == [node]


def test_cyclic_survivors_are_freed_by_the_collection_that_follows():
    node = Node()
    node.me = node
    address, holder = id(node), [node]
    del node
    assert prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])["freed"] == 1


def test_what_cannot_be_cleared_is_said():
    node = Node()
    address, holder = id(node), (node, [])
    del node
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])
    assert (result["freed"], result["not_cleared"]) == (
        0,
        ["tuple: TypeError: nothing outside can clear this reference (kind 7 '0')"],
    )


def test_a_finalizer_that_ends_the_process_is_a_failed_experiment():
    import os

    class Rude:
        def __del__(self):
            if os.getpid() != parent:
                os._exit(9)

    parent = os.getpid()
    rude = Rude()
    address, holder = id(rude), [rude]
    del rude
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])
    assert result == {"failed": "the experiment's process ended with status 9"}


@pytest.fixture
def in_run_one():
    births.arm(runs=5)
    births.begin_run(1)
    yield
    births.disarm()


ATOMS = {
    "text": lambda: "a line " * len(sys.argv[0] * 9),
    "number": lambda: int("9" * 40),
    "untracked tuple": lambda: (*"ab", 1),
    "instance": Node,
    "instance with slots": Slotted,
    "dict": lambda: {"a": 1},
    "exception": lambda: ValueError("x"),
}


@pytest.mark.usefixtures("in_run_one")
@pytest.mark.parametrize("kind", ATOMS)
def test_what_was_born_in_the_runs_is_counted_whether_the_collector_tracks_it_or_not(kind):
    holder = [ATOMS[kind](), ATOMS[kind]()]
    addresses = [id(item) for item in holder]
    has_header = type(holder[0]).__flags__ & 1 << 14 != 0
    survivors = [(address, 1, has_header) for address in addresses]
    result = prove([(id(holder), INDEX, "0", addresses[0])], survivors, [(addresses[1], 1, has_header)])
    assert (counts(result), result["others_freed"]) == ((2, 1, []), 0)


@pytest.mark.usefixtures("in_run_one")
def test_what_is_not_there_any_more_is_not_counted():
    gone = id("a line" * 99)
    assert counts(prove([], [(gone, 1, False)])) == (0, 0, [])
