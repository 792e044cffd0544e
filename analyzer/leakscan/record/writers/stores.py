"""What was seen: stores by slot and place. What was taken out again by the end of a run is not counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from leakscan.record.writers.places import Place

_ADDED, _MODIFIED, _DELETED, _CLEARED, _GONE = 0, 1, 2, 4, 5
_DOUBTS_TO_A_STORE: Final = 4
_PLAIN_KEYS: Final = frozenset((str, int, bytes, float, bool))
Key = tuple[type, object] | int


def key_of(key: object) -> Key:
    """The key itself where comparing it runs no code of the program, else its address."""
    return (type(key), key) if type(key) in _PLAIN_KEYS else id(key)


@dataclass(slots=True)
class _Row:
    count: int = 0
    runs: set[int] = field(default_factory=set)


class Stores:
    """Counts in `run`; before the first, 0, nothing."""

    def __init__(self) -> None:
        self.run = 0
        self._rows: dict[tuple[int, Place], _Row] = {}
        self._entries: dict[tuple[int, Key], tuple[Place, int]] = {}
        self._replaced: dict[tuple[int, Key], tuple[Place, int]] = {}
        self._doubts: Counter[tuple[int, Place]] = Counter()
        self._all_of: dict[int, list[int]] = {}
        self._one_of: dict[tuple[int, Key], list[int]] = {}

    def watch(self, slot: int, holder: int, key: Key | None) -> None:
        """The entries of this dict, or the one with this key, are of the slot."""
        slots = self._all_of.setdefault(holder, []) if key is None else self._of_key(holder, key)
        slots.append(slot)

    def _of_key(self, holder: int, key: Key) -> list[int]:
        return self._one_of.setdefault((holder, key), [])

    def wants(self, event: int, holder: int, key: Key) -> bool:
        return event not in (_ADDED, _MODIFIED) or holder in self._all_of or (holder, key) in self._one_of

    def dict_changed(self, event: int, holder: int, key: Key, place: Place | None) -> None:
        if event in (_ADDED, _MODIFIED):
            if place is not None and self.run:
                self._stored(event, holder, key, place)
        elif event == _DELETED:
            self._entries.pop((holder, key), None)
            self._replaced.pop((holder, key), None)
        elif event in (_CLEARED, _GONE):
            for entries in (self._entries, self._replaced):
                for entry in [entry for entry in entries if entry[0] == holder]:
                    del entries[entry]

    def _stored(self, event: int, holder: int, key: Key, place: Place) -> None:
        for slot in self._one_of.get((holder, key), ()):
            self.add(slot, place, 1, self.run)
        if holder in self._all_of:
            is_new = event == _ADDED or (holder, key) in self._entries
            (self._entries if is_new else self._replaced)[holder, key] = place, self.run

    def add(self, slot: int, place: Place, count: int, run: int) -> None:
        row = self._rows.setdefault((slot, place), _Row())
        row.count += count
        row.runs.add(run)

    def doubt(self, slot: int, place: Place) -> None:
        """A change at this place may be another thread's; where there are many, the place is nobody's."""
        self._doubts[slot, place] += 1

    def _is_doubtful(self, slot: int, place: Place, count: int) -> bool:
        return self._doubts[slot, place] * _DOUBTS_TO_A_STORE > count

    def rows(self) -> list[list[Any]]:  # Any: JSON values
        """By slot, the places that wrote most first."""
        grown = {holder for holder, _ in self._entries}
        kept = list(self._entries.items())
        # What took the place of an entry makes no container grow: told only of those where nothing does.
        kept += [each for each in self._replaced.items() if each[0][0] not in grown]
        for (holder, _), (place, run) in kept:
            for slot in self._all_of[holder]:
                self.add(slot, place, 1, run)
        self._entries.clear()
        self._replaced.clear()
        written = [
            (slot, place, row)
            for (slot, place), row in self._rows.items()
            if row.count > 0 and not self._is_doubtful(slot, place, row.count)
        ]
        written.sort(key=lambda each: (each[0], -each[2].count, _order(each[1])))
        return [_as_json(*each) for each in written]


def _order(place: Place) -> tuple[Any, ...]:
    return (place.file, place.line, place.function, place.caller_file, place.caller_line, place.task)


def _as_json(slot: int, place: Place, row: _Row) -> list[Any]:
    where = [place.file, place.line, place.function]
    return [
        *(slot, *where, row.count, len(row.runs)),
        *(place.caller_file, place.caller_line, place.caller_function, place.task),
    ]
