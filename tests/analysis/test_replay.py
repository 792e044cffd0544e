"""Paths of a real heap, followed from their root with ordinary Python: each must reach its object."""

from __future__ import annotations

import collections
import functools
import re
import sys
import types

import numpy as np
import pytest

import leakscan
from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.births.survivors import Survivors
from leakscan.analysis.causes.paths import RawPath, find_reasons
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.slots.reach import explore, new_graph
from leakscan.analysis.slots.slots import find_slots
from leakscan.heap.kinds import RootKind

MODULE = "replayed_module"


class Leaf:
    """What the paths lead to."""


class Slotted:
    __slots__ = ("leaf",)

    def __init__(self, leaf):
        self.leaf = leaf


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def method(self):
        return self


class Registry(dict):
    pass


def closure_over(leaf):
    def inner():
        return leaf

    return inner


def suspended(leaf):
    yield leaf


def waiting(leaf):
    generator = suspended(leaf)
    next(generator)
    return generator


def with_default(leaf):
    def inner(given=leaf):
        return given

    return inner


def raised(leaf):
    error = ValueError(leaf)
    try:
        raise error
    except ValueError as caught:
        return caught


WAYS = {
    "attribute": lambda leaf: Plain(leaf=leaf),
    "slot": Slotted,
    "list": lambda leaf: [None, leaf],
    "tuple_in_list": lambda leaf: [(1, leaf)],
    "str_key": lambda leaf: {"a'b": leaf},
    "int_key": lambda leaf: {17: leaf},
    "deque": lambda leaf: collections.deque([0, leaf]),
    "ordered": lambda leaf: collections.OrderedDict(x=leaf),
    "dict_subclass": lambda leaf: Registry(x=leaf),
    "closure": closure_over,
    "bound_method": lambda leaf: Plain(leaf=leaf).method,
    "partial": lambda leaf: functools.partial(print, leaf),
    "generator": waiting,
    "default": with_default,
    "exception": raised,
    "class_attribute": lambda leaf: type("Held", (), {"leaf": leaf}),
    "nested": lambda leaf: Plain(rows=[{"k": Slotted((leaf,))}]),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RawPath, Leaf]]:
    """For each way the cheapest path to its leaf in a snapshot of this process, and the leaf."""
    leaves = {name: Leaf() for name in WAYS}
    module = types.ModuleType(MODULE)
    for name, way in WAYS.items():
        setattr(module, name, way(leaves[name]))
    sys.modules[MODULE] = module
    file = tmp_path_factory.mktemp("replay") / "now.heap"
    try:
        leakscan.snapshot(file)
        graph = leakscan.load(file)
        number_of = {int(address): number for number, address in enumerate(graph.addresses)}
        heads = np.array([number_of[id(leaf)] for leaf in leaves.values()], np.uint32)
        is_leaf = np.zeros(graph.object_count, np.bool_)
        is_leaf[heads] = True
        reach = explore(
            graph, Survivors(is_leaf, np.sort(heads), np.zeros(len(heads), np.uint16), ""), liveness(graph)
        )
        new = new_graph(reach)
        names = SlotNames(graph, reach.modules.type_tiers, reach.paths.parent_ref, reach.numbered)
        slots = find_slots(Earlier(graph, graph), reach, new, names).slots
        found = {}
        for name, head in zip(leaves, heads.tolist(), strict=True):
            reasons, _ = find_reasons(reach, new, new.local[[head]], slots, limit=20)
            ours = next(
                member
                for reason in reasons
                for member in reason.members
                if reach.root_kinds[member.root] == RootKind.MODULE and member.segments[0].text == name
            )
            found[name] = (ours, leaves[name])
        yield found
    finally:
        del sys.modules[MODULE]


@pytest.mark.parametrize("name", WAYS)
def test_following_the_path_reaches_the_very_object(name: str, paths: dict[str, tuple[RawPath, Leaf]]):
    path, leaf = paths[name]
    assert replay(sys.modules[MODULE], [segment.text for segment in path.segments]) is leaf


def replay(obj: object, references: list[str]) -> object:
    for reference in references:
        obj = follow(obj, reference)
    return obj


def follow(obj: object, reference: str) -> object:
    if match := re.fullmatch(r"closure `(\w+)`", reference):
        index = obj.__code__.co_freevars.index(match[1])
        return obj.__closure__[index].cell_contents
    if match := re.fullmatch(r"local `(\w+)`", reference):
        return obj.gi_frame.f_locals[match[1]]
    if match := re.fullmatch(r"\['(.*)'\]", reference):
        return obj[match[1].replace("\\'", "'")]
    if match := re.fullmatch(r"\[(\d+)\]", reference):
        return obj[int(match[1])]
    return getattr(obj, reference.removeprefix("."))
