"""A cut applied for real, in a forked child."""

from __future__ import annotations

import collections

import pytest

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
    result = prove([(id(holder), kind, label, address)], [address])
    assert result == {"of": 1, "freed": 1, "not_cleared": []}


def test_what_something_else_holds_is_not_freed():
    node = Node()
    holder = [node]
    assert prove([(id(holder), INDEX, "0", id(node))], [id(node)]) == {"of": 1, "freed": 0, "not_cleared": []}


def test_the_process_itself_keeps_everything():
    node = Node()
    holder = [node]
    prove([(id(holder), INDEX, "0", id(node))], [id(node)])
    assert holder == [node]


def test_cyclic_survivors_are_freed_by_the_collection_that_follows():
    node = Node()
    node.me = node
    address, holder = id(node), [node]
    del node
    assert prove([(id(holder), INDEX, "0", address)], [address])["freed"] == 1


def test_what_cannot_be_cleared_is_said():
    node = Node()
    address, holder = id(node), (node, [])
    del node
    result = prove([(id(holder), INDEX, "0", address)], [address])
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
    result = prove([(id(holder), INDEX, "0", address)], [address])
    assert result == {"failed": "the experiment's process ended with status 9"}
