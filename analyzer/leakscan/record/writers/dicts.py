"""Stores in dicts, told by CPython itself: `PyDict_Watch`, 3.12 and later."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from leakscan.record.writers.places import place_of
from leakscan.record.writers.stores import Stores, key_of


def can_watch_dicts() -> bool:
    if sys.version_info < (3, 12):
        return False
    try:
        from ctypes import pythonapi

        return bool(pythonapi.PyDict_AddWatcher)
    except (ImportError, AttributeError):
        return False


@contextmanager
def watched(dicts: Sequence[dict[Any, Any]], stores: Stores) -> Iterator[None]:  # Any: of the target
    """Every store in these dicts goes to `stores`, whoever makes it; no other dict is slower for it."""
    if not dicts:
        yield
        return
    from ctypes import PYFUNCTYPE, c_int, c_void_p, cast, py_object, pythonapi

    signature = PYFUNCTYPE(c_int, c_int, c_void_p, c_void_p, c_void_p)

    def changed(event: int, holder: int, key: int | None, value: int | None) -> int:
        known = key_of(cast(key, py_object).value) if key else 0
        if stores.wants(event, holder, known):
            is_store = event <= 1
            stores.dict_changed(event, holder, known, place_of(sys._getframe(1)) if is_store else None)
        return 0

    callback = signature(changed)
    # Copies of the functions: those of `pythonapi` belong to the program.
    add = _function(pythonapi, "PyDict_AddWatcher", [signature])
    watch = _function(pythonapi, "PyDict_Watch", [c_int, py_object])
    unwatch = _function(pythonapi, "PyDict_Unwatch", [c_int, py_object])
    clear = _function(pythonapi, "PyDict_ClearWatcher", [c_int])
    watcher = add(callback)
    try:
        for holder in dicts:
            watch(watcher, holder)
        yield
    finally:
        for holder in dicts:
            unwatch(watcher, holder)
        clear(watcher)


def _function(library: Any, name: str, arguments: list[Any]) -> Any:  # Any: ctypes has no types for these
    found = library[name]
    found.argtypes = arguments
    return found
