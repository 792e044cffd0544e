"""What a run has left, as far as that is known without a snapshot: enough to know it again."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from leakscan import _native
from leakscan.record import births

MOST_OBJECTS: Final = 5000
_OURS: Final = (births.OWN, births.WAITING)
_SIZED: Final = (list, dict, set)
"""Exactly these: nothing of the program's is called."""


@dataclass(frozen=True, slots=True)
class Left:
    """`types`: how many objects of which types, of those that the collector knows; `blocks`: of all.

    `holders`: addresses of older objects that refer to them; `sizes`: of those that are containers. Without
    types nothing is known.
    """

    types: tuple[tuple[str, int], ...] = ()
    blocks: int = 0
    holders: tuple[int, ...] = ()
    sizes: Mapping[int, int] = field(default_factory=dict, compare=False)

    def is_like(self, earlier: Left, *, runs: int) -> bool:
        """Whether this is what `earlier` runs have left, in holders that have grown by `runs` at least since.

        A run may leave so many times as much, of all types and blocks alike. Another object at the address of
        one that has gone would not have grown.
        """
        if not self._is_multiple_of(earlier):
            return False
        return any(size >= earlier.sizes.get(holder, size) + runs for holder, size in self.sizes.items())

    def _is_multiple_of(self, earlier: Left) -> bool:
        if self.holders != earlier.holders or self.names != earlier.names or not self.types:
            return False
        here, there = self.types[0][1], earlier.types[0][1]
        mine, theirs = ((*(count for _, count in each.types), each.blocks) for each in (self, earlier))
        return all(first * there == second * here for first, second in zip(mine, theirs, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.types)


def left_by(number: int, objects: list[object], *, blocks: int) -> Left:
    """What is left of run `number`; `objects` may be of it. Searches the heap once."""
    born = [each for each in objects if _native.births_of(each)[0] == number]
    if not 0 < len(born) <= MOST_OBJECTS:
        return Left()
    holders = [
        each
        for each in gc.get_referrers(*_outermost(born))
        if (birth := _native.births_of(each)[0]) != number and birth not in _OURS
    ]
    return Left(
        tuple(sorted(Counter(type_name(type(each)) for each in born).items())),
        blocks,
        tuple(sorted({id(each) for each in holders})),
        {id(each): len(each) for each in holders if type(each) in _SIZED},
    )


def _outermost(born: list[object]) -> list[object]:
    """Those to which no other refers: the search compares each reference of the heap with each of them."""
    inner = {id(referent) for each in born for referent in gc.get_referents(each) if referent is not each}
    return [each for each in born if id(each) not in inner] or born


def type_name(kind: type) -> str:
    """The qualified name, whatever the metaclass makes of these attributes."""
    name = str(type.__dict__["__qualname__"].__get__(kind))
    # Not by an attribute: a class that the collector has cleared finds none, for it has no bases any more.
    module = type.__dict__["__dict__"].__get__(kind).get("__module__", "builtins")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"
