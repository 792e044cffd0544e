"""How each kind of holder is looked at: as a dict to be watched, or by reading what a store changes.

Nothing here runs code of the program: methods are those of the built-in types, never a subclass's own.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import queue
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

# Any in this file: objects of the target.

_MOST_COMPARED: Final = 2000
"""Items of a container whose places are compared one by one, where its length tells nothing."""


@dataclass(slots=True)
class Probe:
    """What is read of one holder. `read` differs after a store; `items` are those from a position on."""

    slot: int
    read: Callable[[], Any]
    is_sized: bool = False
    is_size_of_one: bool = False
    """What is read is the size of the holder itself; smaller is no store."""
    items: Callable[[int, int], list[int]] | None = None
    """Addresses of what was put in when the length went from one to the other."""
    present: Callable[[], set[int]] | None = None
    compare: Callable[[], Any] | None = None
    """A reading that also differs when an item takes another's place."""


@dataclass(frozen=True, slots=True)
class InDict:
    """Entries of a dict: all, or the one with this name."""

    slot: int
    holder: dict[Any, Any]
    name: str | None


def looked_at(slot: int, holder: Any, label: str | None) -> Iterator[InDict | Probe]:
    """How the slot is seen in this holder. `label`: of the one reference that it is, None for all entries."""
    kind = type(holder)
    if issubclass(kind, dict):
        yield InDict(slot, holder, _named(holder, label))
    elif issubclass(kind, (list, deque)):
        yield _sequence(slot, holder, list if issubclass(kind, list) else deque)
    elif issubclass(kind, set):
        yield Probe(slot, functools.partial(set.__len__, holder), is_sized=True)
    elif (size := _size(kind)) is not None:
        # It grows by as much as is written into it: each time is one store.
        yield Probe(slot, functools.partial(size, holder), is_size_of_one=True)
    elif "_io" in sys.modules and issubclass(kind, sys.modules["_io"].StringIO):
        yield Probe(slot, _furthest(holder), is_size_of_one=True)
    elif issubclass(kind, queue.SimpleQueue):
        yield Probe(slot, functools.partial(queue.SimpleQueue.qsize, holder), is_sized=True)
    elif issubclass(kind, types.ModuleType):
        yield InDict(slot, types.ModuleType.__getattribute__(holder, "__dict__"), label)
    elif issubclass(kind, type):
        yield from (InDict(slot, namespace, label) for namespace in _namespaces(holder))
    elif issubclass(kind, functools._lru_cache_wrapper):
        kept = [each for each in gc.get_referents(holder) if type(each) is dict]
        yield from (InDict(slot, each, None) for each in kept if each is not _attributes(holder))
    elif issubclass(kind, contextvars.Context):
        yield Probe(slot, functools.partial(_variables, holder, label))
    else:
        yield from _of_instance(slot, holder, label)


def _named(holder: dict[Any, Any], label: str | None) -> str | None:
    return label if label is not None and dict.__contains__(holder, label) else None


def _of_instance(slot: int, holder: Any, label: str | None) -> Iterator[InDict | Probe]:
    if label == "__class__":
        yield Probe(slot, lambda: id(type(holder)))
        return
    member = _member(holder, label)
    if member is not None:
        yield Probe(slot, functools.partial(_value, member, holder))
        return
    attributes = _attributes(holder)
    if attributes is not None and label is not None and label in attributes:
        # 3.13 does not tell of all stores in values that lie in the instance itself.
        is_told = sys.version_info < (3, 13)
        yield InDict(slot, attributes, label) if is_told else dict_probe(InDict(slot, attributes, label))
        return
    if attributes is not None and label is None:
        yield InDict(slot, attributes, label)
        return
    yield Probe(slot, functools.partial(_referents, holder))


def _sequence(slot: int, holder: Any, base: Any) -> Probe:
    length = functools.partial(base.__len__, holder)

    def items(before: int, after: int) -> list[int]:
        return [id(base.__getitem__(holder, index)) for index in range(before, after)]

    def present() -> set[int]:
        return set(map(id, base.__iter__(holder)))

    def compare() -> tuple[int, ...]:
        return tuple(map(id, islice(base.__iter__(holder), _MOST_COMPARED)))

    return Probe(slot, length, is_sized=True, items=items, present=present, compare=compare)


def dict_probe(watched: InDict) -> Probe:
    """For Pythons that have no watchers of dicts."""
    holder, name = watched.holder, watched.name
    if name is not None:
        return Probe(watched.slot, lambda: id(dict.get(holder, name)))

    def items(before: int, after: int) -> list[int]:
        return list(map(id, islice(reversed(dict.values(holder)), after - before)))

    def present() -> set[int]:
        return set(map(id, dict.values(holder)))

    def compare() -> tuple[int, ...]:
        return tuple(map(id, islice(dict.values(holder), _MOST_COMPARED)))

    length = functools.partial(dict.__len__, holder)
    return Probe(watched.slot, length, is_sized=True, items=items, present=present, compare=compare)


def _namespaces(cls: type) -> list[dict[Any, Any]]:
    """The dict behind the proxy that `cls.__dict__` is."""
    names = list(cls.__dict__)
    return [each for each in gc.get_referents(cls) if type(each) is dict and list(each) == names][:1]


def _attributes(holder: Any) -> dict[Any, Any] | None:
    for owner in type(holder).__mro__:
        descriptor = owner.__dict__.get("__dict__")
        if isinstance(descriptor, types.GetSetDescriptorType):
            found = descriptor.__get__(holder)
            return found if isinstance(found, dict) else None
    return None


def _member(holder: Any, label: str | None) -> Any:
    """The descriptor of a slot of that name: of `__slots__`, of a C type, and the content of a cell."""
    if isinstance(holder, types.CellType):
        return types.CellType.__dict__["cell_contents"]
    for owner in type(holder).__mro__:
        descriptor = owner.__dict__.get(label) if label else None
        if isinstance(descriptor, types.MemberDescriptorType):
            return descriptor
    return None


def _value(member: Any, holder: Any) -> int:
    try:
        return id(member.__get__(holder))
    except (AttributeError, ValueError):  # nothing is in it
        return 0


def _size(kind: type) -> Callable[[Any], int] | None:
    """How large an object of a built-in type is that grows where it lies."""
    if issubclass(kind, bytearray):
        return bytearray.__len__
    io, array = sys.modules.get("_io"), sys.modules.get("array")
    if io is not None and issubclass(kind, io.BytesIO):
        size: Callable[[Any], int] = io.BytesIO.__sizeof__
        return size
    if array is not None and issubclass(kind, array.array):
        length: Callable[[Any], int] = array.array.__len__
        return length
    return None


def _furthest(text: Any) -> Callable[[], int]:
    """The end of a StringIO as far as it was written: its furthest position. Reading it again is no store."""
    tell: Callable[[Any], int] = sys.modules["_io"].StringIO.tell
    furthest = 0

    def read() -> int:
        nonlocal furthest
        furthest = max(furthest, tell(text))
        return furthest

    return read


def _variables(context: contextvars.Context, label: str | None) -> tuple[int, ...]:
    return tuple(id(context.get(each)) for each in context if label in (None, each.name))


def _referents(holder: Any) -> list[tuple[int, int]]:
    """Addresses of what it refers to, and lengths of lists that only it has: the callbacks of a future."""
    referents = gc.get_referents(holder)[:_MOST_COMPARED]
    return [(id(each), len(each) if _is_only_here(each) else 0) for each in referents]


def _is_only_here(found: Any) -> bool:
    # The holder, the list of what it refers to, a variable there and one here, and the argument of the call.
    return type(found) is list and sys.getrefcount(found) <= 5
