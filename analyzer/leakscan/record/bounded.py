"""Caches that have a bound: what lies in them alone is no leak, however many runs go on filling them."""

from __future__ import annotations

import functools
import gc
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from leakscan import _native

# Any in this file: whatever lives in the process.

_LRU: Final = type(functools.lru_cache(maxsize=1)(len))
_TABLES: Final = (("re", "_cache"), ("re", "_cache2"))
"""Dicts of the standard library that keep to a bound of their own."""


def are_in_bounded_caches(first: int, last: int, *, blocks: int, ours: list[Any]) -> bool:
    """Whether so many objects born in the runs from `first` to `last` lie in such caches and nowhere else.

    An object with a second block, such as a dict with entries, counts once: never are there too many. What
    is held by the list `ours` counts as held by nobody. Linear in the objects that the collector knows.
    """
    holders = _holders()
    inside = _born_inside(holders, first, last)
    if not 0 < blocks <= len(inside):
        return False
    # The collector's own arithmetic: what has more references than those from inside is held elsewhere, too.
    found = Counter(id(to) for each in (*holders, *inside, ours) for to in _references(each))
    others = _reference_counts([object()])[0]
    counts = _reference_counts(inside)
    return all(
        # The list that links the entries of an lru_cache holds them, and tells the collector nothing of it.
        count - others <= found[id(each)] + (type(each).__name__ == "_lru_list_elem")
        for each, count in zip(inside, counts, strict=True)
    )


def _holders() -> list[Any]:
    """Whatever refers to the entries of a bounded cache: a table, and of an lru_cache itself."""
    found: list[Any] = []
    for each in gc.get_objects():
        if type(each) is _LRU and each.cache_info().maxsize is not None:
            found.append(each)
            found += [inner for inner in gc.get_referents(each) if type(inner) is dict]
    for module, name in _TABLES:
        table = getattr(sys.modules.get(module), name, None)
        if type(table) is dict:
            found.append(table)
    return found


def _born_inside(holders: Iterable[Any], first: int, last: int) -> list[Any]:
    """Objects of those runs that are reached from there, through no older ones."""
    found: dict[int, Any] = {}
    waiting = [to for each in holders for to in _references(each)]
    while waiting:
        each = waiting.pop()
        if id(each) not in found and first <= _native.births_of(each)[0] <= last:
            found[id(each)] = each
            waiting += _references(each)
    return list(found.values())


def _references(each: Any) -> list[Any]:
    # A dict of text tells the collector of its values only.
    return [*each.keys(), *each.values()] if type(each) is dict else gc.get_referents(each)


def _reference_counts(objects: list[Any]) -> list[int]:
    return [sys.getrefcount(each) for each in objects]
