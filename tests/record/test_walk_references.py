"""Every reference the collector knows is in the snapshot, and nothing that is not there."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from walks import Kind, Walked, walk
from zoo import Point, everything, names

# What a str-keyed table owns and the collector skips; what leakscan reads beyond the collector.
_BEYOND_THE_COLLECTOR = {Kind.TYPE, Kind.KEY, Kind.WEAK, Kind.MACHINERY}


@pytest.fixture(scope="module")
def zoo() -> Iterator[dict[str, Any]]:
    animals = everything()
    yield animals
    animals["wrapped coroutine"].close()


@pytest.fixture(scope="module")
def walked(zoo: dict[str, Any]) -> Iterator[Walked]:
    gc.disable()
    yield walk()
    gc.enable()


NAMES = names()


def reported(thing: object) -> Counter[int]:
    """What the collector is told, without the type and what belongs to an inner C structure."""
    told = Counter(id(target) for target in gc.get_referents(thing))
    if told[id(type(thing))]:
        told[id(type(thing))] -= 1
    if sys.version_info[:2] == (3, 13) and type(thing) is Point and "later" in vars(thing):
        # 3.13.0 tells of the values but not of the dict that holds them (gh-130327)
        return Counter([id(vars(thing))])
    return +told


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_the_collector_knows_is_walked(
    name: str, zoo: dict[str, Any], walked: Walked
) -> None:
    thing = zoo[name]
    walked_to = Counter(address for _, _, address in walked.references(thing))
    missing = reported(thing) - walked_to
    if name == "bounded cache":
        missing = Counter()  # its links own the keys and results, and are objects themselves here
    assert describe(missing, zoo) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_reference_is_invented(name: str, zoo: dict[str, Any], walked: Walked) -> None:
    thing = zoo[name]
    told = reported(thing)
    collected = {
        (kind.name, label, address)
        for kind, label, address in walked.references(thing)
        if kind not in _BEYOND_THE_COLLECTOR and is_collected(walked, address)
    }
    if name in ("bounded cache", "builtin class", "code"):
        pytest.skip("its references are read where the collector does not look")
    invented = [found for found in collected if found[2] not in told]
    assert [(kind, label, describe_row(walked, address)) for kind, label, address in invented] == []


_LEAVE_TABLES_OUT = ("lock", "RLock", "SimpleQueue", "StringIO", "Element", "Decimal")
_HEAP_TYPE, _MANAGED_DICT = 1 << 9, 1 << 4


def leaves_tables_out(thing: Any) -> bool:
    """Whether sys.getsizeof may forget something: values of attributes, a spare item, a C block."""
    kind = type(thing)
    is_python_class = bool(kind.__flags__ & _HEAP_TYPE) and hasattr(kind, "__module__")
    is_forgetful = bool(kind.__flags__ & _MANAGED_DICT) or bool(kind.__itemsize__)
    is_class = isinstance(thing, type) and bool(thing.__flags__ & _HEAP_TYPE)
    return is_class or (is_python_class and is_forgetful) or kind.__name__ in _LEAVE_TABLES_OUT


@pytest.mark.parametrize("name", NAMES)
def test_shallow_sizes_agree_with_getsizeof_but_for_tables_that_it_leaves_out(
    name: str, zoo: dict[str, Any], walked: Walked
) -> None:
    if name == "ctypes class" and sys.version_info >= (3, 13):
        pytest.skip("ctypes counts its own layout tables and forgets the shared keys")
    size, told = walked.size(zoo[name]), sys.getsizeof(zoo[name])
    assert size >= told if leaves_tables_out(zoo[name]) else size == told


def is_collected(walked: Walked, address: int) -> bool:
    row = walked.row_at(address)
    return bool(int(walked.heap.flags[row]) & 1)


def describe(missing: Counter[int], zoo: dict[str, Any]) -> list[str]:
    objects = {id(target): target for thing in zoo.values() for target in gc.get_referents(thing)}
    return [f"{type(objects[address]).__name__} x{count}" for address, count in missing.items()]


def describe_row(walked: Walked, address: int) -> str:
    return walked.heap.type_name(walked.row_at(address))
