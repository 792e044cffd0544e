"""Who wrote the references: watches the containers that hold the survivors while the scenario runs again.

Dicts tell of each store themselves (`PyDict_Watch`, 3.12); of lists, sets and deques the calls that fill them
are seen (`sys.monitoring`, 3.12). Only after the last snapshot: what is kept here is in none. Nothing stays.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from leakscan.record.cutting import objects_at

OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_ADDED, _MODIFIED, _DELETED, _CLEARED, _GONE = 0, 1, 2, 4, 5
_FILLING: Final = frozenset(
    (
        *(
            "append",
            "appendleft",
            "insert",
            "extend",
            "extendleft",
            "add",
            "update",
            "__setitem__",
            "__iadd__",
        ),
        *("heappush", "heappushpop", "insort", "insort_left", "insort_right", "__ior__"),
    )
)
_PLAIN_KEYS: Final = frozenset((str, int, bytes, float, bool))
Key = tuple[type, object] | int
Place = tuple[str, int, str]
"""File, line, function."""


def blame(holders: Sequence[tuple[int, int]], run: Callable[[], None], *, runs: int) -> dict[str, Any]:
    """`run` the scenario `runs` times, and say which lines filled the containers at these addresses.

    A holder is (number of a slot, address). `{"written": [[slot, file, line, function, count], ...]}`, and
    `failed`, why nothing could be seen. Of dicts only what is still there at the end counts.
    """
    if sys.version_info < (3, 12):
        return {"written": [], "failed": "it takes Python 3.12 or later to see who fills a container"}
    slots: dict[int, list[int]] = {}
    for slot, address in holders:
        slots.setdefault(address, []).append(slot)
    found = {id(each): each for each in objects_at(slots) if isinstance(each, (dict, list, set, deque))}
    if not found:
        return {"written": [], "failed": "the containers were not found in the process"}
    stores = _Stores(slots)
    dicts = [holder for holder in found.values() if isinstance(holder, dict)]
    others = {address for address, holder in found.items() if not isinstance(holder, dict)}
    try:
        with _watched(dicts, stores), _calls_seen(others, stores):
            for _ in range(runs):
                run()
    except _CannotWatch as reason:
        return {"written": [], "failed": str(reason)}
    return {"written": stores.rows(), "failed": ""}


class _CannotWatch(Exception):
    pass


class _Stores:
    def __init__(self, slots: dict[int, list[int]]) -> None:
        self._slots = slots
        self._entries: dict[tuple[int, Key], Place] = {}
        self._replaced: dict[tuple[int, Key], Place] = {}
        self._calls: dict[tuple[int, Place], int] = {}

    def dict_changed(self, event: int, holder: int, key: Key) -> None:
        if event in (_ADDED, _MODIFIED):
            place = _place_of(sys._getframe(2))
            is_new = event == _ADDED or (holder, key) in self._entries
            if place is not None:
                (self._entries if is_new else self._replaced)[holder, key] = place
        elif event == _DELETED:
            self._entries.pop((holder, key), None)
            self._replaced.pop((holder, key), None)
        elif event in (_CLEARED, _GONE):
            for entries in (self._entries, self._replaced):
                for entry in [entry for entry in entries if entry[0] == holder]:
                    del entries[entry]

    def called(self, holder: int, frame: FrameType) -> None:
        place = _place_of(frame)
        if place is not None:
            self._calls[holder, place] = self._calls.get((holder, place), 0) + 1

    def rows(self) -> list[list[Any]]:
        """By slot, the places that wrote most first."""
        written = [(holder, place, count) for (holder, place), count in self._calls.items()]
        written += [(holder, place, 1) for (holder, _), place in self._entries.items()]
        # What took the place of an entry makes no container grow: told only of those where nothing does.
        grown = {holder for holder, *_ in written}
        written += [
            (holder, place, 1) for (holder, _), place in self._replaced.items() if holder not in grown
        ]
        counts: dict[tuple[int, Place], int] = {}
        for holder, place, count in written:
            for slot in self._slots[holder]:
                counts[slot, place] = counts.get((slot, place), 0) + count
        ranked = sorted(counts, key=lambda each: (each[0], -counts[each], each[1]))
        return [[slot, *place, counts[slot, place]] for slot, place in ranked]


def _place_of(frame: FrameType | None) -> Place | None:
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FOLDER):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


@contextmanager
def _watched(dicts: list[dict[Any, Any]], stores: _Stores) -> Iterator[None]:
    if not dicts:
        yield
        return
    try:
        from ctypes import PYFUNCTYPE, c_int, c_void_p, cast, py_object, pythonapi

        api = (
            pythonapi.PyDict_AddWatcher,
            pythonapi.PyDict_Watch,
            pythonapi.PyDict_Unwatch,
            pythonapi.PyDict_ClearWatcher,
        )
    except (ImportError, AttributeError):
        raise _CannotWatch("this Python has no ctypes, or no watchers of dicts") from None
    add, watch, unwatch, clear = api
    signature = PYFUNCTYPE(c_int, c_int, c_void_p, c_void_p, c_void_p)

    def named(address: int | None) -> Key:
        """The key: itself where comparing it runs no code of the program, else by its address."""
        if not address:
            return 0
        key = cast(address, py_object).value
        return (type(key), key) if type(key) in _PLAIN_KEYS else address

    def changed(event: int, holder: int, key: int | None, value: int | None) -> int:
        stores.dict_changed(event, holder, named(key))
        return 0

    callback = signature(changed)
    add.argtypes = [signature]
    for each in (watch, unwatch):
        each.argtypes = [c_int, py_object]
    clear.argtypes = [c_int]
    watcher = add(callback)
    try:
        for holder in dicts:
            watch(watcher, holder)
        yield
    finally:
        for holder in dicts:
            unwatch(watcher, holder)
        clear(watcher)


@contextmanager
def _calls_seen(holders: set[int], stores: _Stores) -> Iterator[None]:
    if not holders:
        yield
        return
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009  (3.12; what is checked here is older)
    tool = next((number for number in (4, 3, 5, 2, 1) if monitoring.get_tool(number) is None), None)
    if tool is None:
        raise _CannotWatch("other tools use every place that sys.monitoring has")

    def called(code: object, offset: int, function: Any, first: object) -> None:  # Any: what is called
        if getattr(function, "__name__", "") not in _FILLING:
            return
        holder = id(first) if id(first) in holders else id(getattr(function, "__self__", None))
        if holder in holders:
            stores.called(holder, sys._getframe(1))

    monitoring.use_tool_id(tool, "leakscan")
    try:
        monitoring.register_callback(tool, monitoring.events.CALL, called)
        monitoring.set_events(tool, monitoring.events.CALL)
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, monitoring.events.CALL, None)
        monitoring.free_tool_id(tool)
