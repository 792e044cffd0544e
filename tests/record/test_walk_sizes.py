"""The bytes of a snapshot's objects against what the allocators really gave for them."""

from __future__ import annotations

import gc
import io
import threading
import types
import xml.etree.ElementTree as ElementTree
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakscan import _native
from leakscan.heap.types_only import load_census
from leakscan.record.snapshot import record

pytestmark = pytest.mark.skipif(_native.malloc_figures() is None, reason="not glibc's allocator")
COUNT = 2_000
KEYS = [f"key{number}" for number in range(200)]


class Two:
    def __init__(self) -> None:
        self.a = self.b = None


class Twelve:
    def __init__(self) -> None:
        for name in "abcdefghijkl":
            setattr(self, name, None)


class Slots:
    __slots__ = ("a", "b")


class SlotsAndDict(Slots):
    def __init__(self) -> None:
        self.c = None


class DictChild(dict):
    def __init__(self) -> None:
        self.a = None


class TupleChild(tuple):
    pass


Pair = namedtuple("Pair", "a b")


def materialised() -> Two:
    made = Two()
    vars(made)
    return made


def more_than_shared() -> types.SimpleNamespace:
    return types.SimpleNamespace(**dict.fromkeys(KEYS[:40]))


def emptied_deque() -> deque[None]:
    made: deque[None] = deque([None] * 200)
    for _ in range(190):
        made.popleft()
    return made


def emptied_dict() -> dict[str, None]:
    made = dict.fromkeys(KEYS[:100])
    for key in KEYS[:95]:
        del made[key]
    return made


def written() -> io.BytesIO:
    made = io.BytesIO()
    made.write(bytes(1000))
    return made


def family() -> ElementTree.Element:
    made = ElementTree.Element("a")
    for _ in range(6):
        ElementTree.SubElement(made, "b")
    return made


MAKERS: dict[str, Callable[[], Any]] = {
    "instance of two attributes": Two,
    "instance of twelve": Twelve,
    "instance with a dict that was asked for": materialised,
    "slots": Slots,
    "slots and attributes": SlotsAndDict,
    "class over dict": DictChild,
    "class over tuple": lambda: TupleChild((1, 2)),
    "named tuple": lambda: Pair(None, None),
    "namespace": more_than_shared,
    "dict": lambda: {"n": None, "tags": None},
    "dict that was emptied": emptied_dict,
    "ordered dict": lambda: OrderedDict.fromkeys(KEYS[:10]),
    "set": lambda: set(KEYS[:50]),
    "list": lambda: [None for _ in range(5)],
    "deque": lambda: deque(KEYS[:70]),
    "deque that was emptied": emptied_deque,
    "bytearray": lambda: bytearray(700),
    "BytesIO": written,
    "Decimal of many digits": lambda: Decimal("1." + "3" * 200),
    "lock": threading.Lock,
    "condition": threading.Condition,
    "Element with children": family,
    "class": lambda: type("Made", (), {"__slots__": ("a", "b"), "__doc__": "words " * 20}),
    "number from bytes": lambda: int.from_bytes(b"\x0f" * 8, "big"),
}


@pytest.fixture(autouse=True, scope="module")
def _only_what_is_new_is_collected() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def bytes_of_objects(path: Path) -> tuple[int, int]:
    """(what the snapshot says that all objects take, what pools and heap have given out)."""
    gc.collect()
    gc.collect()
    used, _, mapped, _ = _native.malloc_figures()
    record(path, census=True)
    memory = load_census(path).memory
    return memory["object_block_bytes"], memory["pool_used_bytes"] + used + mapped


@pytest.mark.parametrize("name", MAKERS)
def test_objects_take_the_bytes_that_the_allocators_gave_for_them(name: str, tmp_path: Path) -> None:
    kept: list[Any] = [None] * COUNT
    for number in range(60):
        kept[number] = MAKERS[name]()
    kept[:60] = [None] * 60
    bytes_of_objects(tmp_path / "first.heap")
    blocks, given = bytes_of_objects(tmp_path / "before.heap")
    for number in range(COUNT):
        kept[number] = MAKERS[name]()
    blocks_after, given_after = bytes_of_objects(tmp_path / "after.heap")
    each, truth = (blocks_after - blocks) / COUNT, (given_after - given) / COUNT
    assert each == pytest.approx(truth, rel=0.03, abs=6)
