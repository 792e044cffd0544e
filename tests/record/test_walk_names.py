"""Each label leads, with ordinary Python, to the very object that the reference points to."""

from __future__ import annotations

import gc
import io
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from walks import Kind, Walked, walk
from zoo import everything, names

ABSENT = object()


@pytest.fixture(scope="module")
def zoo() -> Iterator[dict[str, Any]]:
    animals = everything()
    yield animals
    animals["wrapped coroutine"].close()


@pytest.fixture(scope="module")
def walked(zoo: dict[str, Any]) -> Walked:
    gc.collect()
    return walk()


def follow(source: Any, kind: Kind, label: str) -> list[Any]:
    """The objects that the words of the label can mean; [ABSENT] when Python has no words for it."""
    if kind is Kind.INDEX:
        return [source[int(label)]]
    if kind is Kind.KEY_STR:
        return [dict.get(source, label, ABSENT)]
    if kind is Kind.KEY_INT:
        return [value for key, value in source.items() if isinstance(key, int) and key == int(label)]
    if kind is Kind.KEY_OTHER:
        return [value for key, value in source.items() if type(key).__qualname__ == label]
    if kind is Kind.KEY:
        return list(source)
    if kind is Kind.MEMBER:
        return list(source)
    if kind is Kind.DICT:
        return [source.__dict__]
    if kind is Kind.TYPE:
        return [type(source)]
    if kind is Kind.ATTRIBUTE:
        return [object.__getattribute__(source, label)]
    if kind is Kind.AWAIT:
        return [getattr(source, label)]
    if kind is Kind.LOCAL:
        frame = getattr(source, "gi_frame", None) or getattr(source, "cr_frame", None) or source.ag_frame
        return [frame.f_locals[label]]
    if kind is Kind.SLOT:
        return [getattr(source, label, ABSENT)]
    return [ABSENT]


CASES = [
    ("point", Kind.ATTRIBUTE, "x"),
    ("many", Kind.KEY_STR, None),
    ("slotted", Kind.SLOT, "left"),
    ("slotted and dict", Kind.SLOT, "right"),
    ("dict child", Kind.KEY_STR, "a"),
    ("list child", Kind.SLOT, "tag"),
    ("tuple child", Kind.INDEX, "1"),
    ("dict", Kind.KEY_INT, "2"),
    ("dict", Kind.KEY_OTHER, "tuple"),
    ("dict with holes", Kind.KEY_STR, "7"),
    ("set", Kind.MEMBER, ""),
    ("exception", Kind.SLOT, "__cause__"),
    ("exception", Kind.SLOT, "__context__"),
    ("exception", Kind.SLOT, "__traceback__"),
    ("group", Kind.SLOT, "exceptions"),
    ("stop", Kind.SLOT, "value"),
    ("os error", Kind.SLOT, "filename"),
    ("deque", Kind.INDEX, "149"),
    ("ordered dict", Kind.KEY_STR, "9"),
    ("defaultdict", Kind.SLOT, "default_factory"),
    ("function", Kind.SLOT, "__closure__"),
    ("function", Kind.SLOT, "__defaults__"),
    ("function", Kind.SLOT, "__kwdefaults__"),
    ("function", Kind.SLOT, "__globals__"),
    ("function", Kind.SLOT, "__code__"),
    ("cell", Kind.SLOT, "cell_contents"),
    ("bound method", Kind.SLOT, "__self__"),
    ("bound method", Kind.SLOT, "__func__"),
    ("builtin method", Kind.SLOT, "__self__"),
    ("partial", Kind.SLOT, "func"),
    ("partial", Kind.SLOT, "args"),
    ("partial", Kind.SLOT, "keywords"),
    ("bounded cache", Kind.SLOT, "__wrapped__"),
    ("property", Kind.SLOT, "fget"),
    ("super", Kind.SLOT, "__self__"),
    ("generator", Kind.LOCAL, "held"),
    ("delegating", Kind.AWAIT, "gi_yieldfrom"),
    ("coroutine", Kind.AWAIT, "cr_await"),
    ("coroutine", Kind.LOCAL, "kept"),
    ("nested coroutine", Kind.AWAIT, "cr_await"),
    ("async generator", Kind.LOCAL, "held"),
    ("future", Kind.SLOT, "_loop"),
    ("done future", Kind.SLOT, "_result"),
    ("failed future", Kind.SLOT, "_exception"),
    ("task", Kind.SLOT, "_coro"),
    ("task", Kind.SLOT, "_fut_waiter"),
    ("token", Kind.SLOT, "var"),
    ("token", Kind.SLOT, "old_value"),
]


@pytest.mark.parametrize(("name", "kind", "label"), CASES)
def test_the_reference_is_there_and_its_label_leads_to_it(
    name: str, kind: Kind, label: str | None, zoo: dict[str, Any], walked: Walked
) -> None:
    source = zoo[name]
    found = [
        (words, address)
        for found_kind, words, address in walked.references(source)
        if found_kind is kind and label in (None, words)
    ]
    if name == "many":  # its attributes do not fit inline values: they are in its __dict__
        assert walked.label(source, source.__dict__) == {("DICT", "")}
        return
    assert found
    assert all(address in map(id, follow(source, kind, words)) for words, address in found)


@pytest.mark.parametrize("name", names())
def test_no_label_of_the_zoo_lies(name: str, zoo: dict[str, Any], walked: Walked) -> None:
    source = zoo[name]
    if isinstance(source, (weakref.ProxyType, type)) or name in ("loop", "type variable"):
        pytest.skip("Python's own words for it mean something else")
    plain = (Kind.INDEX, Kind.KEY_STR, Kind.KEY_INT, Kind.MEMBER, Kind.DICT, Kind.ATTRIBUTE, Kind.AWAIT)
    lies = []
    for kind, label, address in walked.references(source):
        if kind not in plain or (kind is Kind.INDEX and not hasattr(type(source), "__getitem__")):
            continue
        meant = follow(source, kind, label)
        if address not in map(id, meant):
            lies.append((kind.name, label))
    assert lies == []


def test_a_cell_has_the_name_of_its_variable(zoo: dict[str, Any], walked: Walked) -> None:
    cells = dict(zip(zoo["function"].__code__.co_freevars, zoo["function"].__closure__, strict=True))
    assert {walked.heap.name_of(walked.row(cell)) for cell in cells.values()} == set(cells)


def test_a_context_variable_names_its_value(zoo: dict[str, Any], walked: Walked) -> None:
    heap = walked.heap
    named = {
        heap.label(ref): int(heap.addresses[int(heap.ref_targets[ref])])
        for ref in np.nonzero(heap.ref_kinds == Kind.CONTEXT)[0].tolist()
    }
    context = zoo["context"]
    assert {var.name: id(context[var]) for var in zoo["variables"]}.items() <= named.items()


def test_a_weak_reference_is_weak(zoo: dict[str, Any], walked: Walked) -> None:
    assert walked.label(zoo["weakref"], zoo["kept"]) == {("WEAK", "")}


def test_a_suspended_generator_says_the_line_it_stands_at(zoo: dict[str, Any], walked: Walked) -> None:
    source = zoo["generator"]
    place = walked.heap.location_of(walked.row(source))
    assert place is not None
    assert (place.file, place.line) == (source.gi_code.co_filename, source.gi_frame.f_lineno)


def test_a_running_frame_has_its_locals_and_its_line() -> None:
    only_a_local = ["held by this frame"]
    here = walk()
    frame = next(
        row
        for row in range(here.heap.object_count)
        if here.heap.name_of(row) == "test_a_running_frame_has_its_locals_and_its_line"
        and here.heap.type_name(row) == "<frame>"
    )
    labels = set()
    for ref in here.heap.references(frame):
        if here.heap.ref_targets[ref] == here.row(only_a_local):
            labels.add((here.heap.kind(ref).name, here.heap.label(ref)))
    place = here.heap.location_of(frame)
    assert (labels, place.line if place else 0) == (
        {("LOCAL", "only_a_local")},
        sys._getframe().f_code.co_firstlineno + 2,
    )


def test_the_iterator_of_a_running_loop_is_on_the_stack_of_its_frame() -> None:
    for _ in zip([[1], [2]], "ab", strict=True):
        here = walk()
        break
    holders = {
        (here.heap.type_name(row), here.heap.kind(ref).name)
        for row in range(here.heap.object_count)
        if here.heap.type_name(row) == "<frame>"
        for ref in here.heap.references(row)
        if here.heap.type_name(int(here.heap.ref_targets[ref])) == "zip"
    }
    assert ("<frame>", "STACK") in holders


def test_redacted_keys_are_gone() -> None:
    secret = {"a secret key": [1], 987654321: [2]}
    here = walk(redact_keys=True)
    labels = {label for _, label, _ in here.references(secret)}
    assert labels == {"", "str", "int", "<str>", "<int>"}


def test_keys_are_cut_at_120_characters() -> None:
    long = {"k" * 500: [1]}
    here = walk()
    assert {label for kind, label, _ in here.references(long) if kind is Kind.KEY_STR} == {"k" * 117 + "..."}


def test_a_bound_is_seen(zoo: dict[str, Any], walked: Walked) -> None:
    assert [walked.heap.bounds.get(walked.row(zoo[name])) for name in ("deque", "bounded cache")] == [150, 4]


def test_an_attribute_that_bounds_its_object_is_seen() -> None:
    class Pool:
        def __init__(self) -> None:
            self.capacity = 7

    class Slotted:
        __slots__ = ("maxsize",)

    inline, in_a_dict, slotted = Pool(), Pool(), Slotted()
    in_a_dict.__dict__["other"] = 1
    slotted.maxsize = 9
    here = walk()
    assert [here.heap.bounds.get(here.row(thing)) for thing in (inline, in_a_dict, slotted)] == [7, 7, 9]


def test_bounds_have_many_names_and_retries_are_none_of_them() -> None:
    class Cache:
        def __init__(self, name: str) -> None:
            setattr(self, name, 7)

    names = (
        "_Cache__maxsize",
        "__maxsize",
        "_max_items",
        "MAX_SIZE",
        "max_retries",
        "maxsizes",
        "_Cache__",
        "",
    )
    caches = [type(name or "Cache", (Cache,), {})(name) for name in names]
    here = walk()
    assert [here.heap.bounds.get(here.row(cache)) for cache in caches] == [
        7,
        7,
        7,
        None,
        None,
        None,
        None,
        None,
    ]


def test_what_was_written_to_a_text_in_memory_is_seen() -> None:
    written, read = io.StringIO(), io.StringIO()
    for text in (written, read):
        for number in range(5):
            text.write(f"line {number}\n" * 300)
    read.seek(0)
    read.read(3)
    here = walk()
    names = {label for _, label, _ in here.references(written)} - {""}
    assert names == {"parts" if sys.version_info < (3, 12) else "buffer"}
    assert {label for _, label, _ in here.references(read)} == {""}


def test_an_array_of_objects_refers_to_its_items() -> None:
    items = np.array([[1], {"a": 2}], dtype=object)
    here = walk()
    assert [here.label(items, item) for item in items] == [{("INDEX", "0")}, {("INDEX", "1")}]
