"""Which places of the heap are the same place to a reader: objects whose paths differ in keys only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.hop import normalised
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import distinct, kinds_of, sources_of
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32
from leakscan.heap.kinds import KIND_MASK, Kind

DATA_KINDS: Final = frozenset(
    (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER, Kind.KEY, Kind.INDEX, Kind.MEMBER, Kind.STACK)
)
_NAMED: Final = frozenset((Kind.ATTRIBUTE, Kind.SLOT, Kind.AWAIT, Kind.KEY_STR))
_UNLABELLED: Final = frozenset((Kind.UNNAMED, Kind.DICT, Kind.TYPE, Kind.WEAK))
# A longer way up is a linked list; what is beyond tells two places apart no more.
_HIGHEST: Final = 2_000

Place = tuple[int, int]
"""Two class numbers of an object: with the keys of old dicts told apart, and with all keys alike."""


@dataclass(frozen=True)
class Kinship:
    """Gives each object on the cheapest paths its place; objects of one place read the same.

    Two numbers for each: `exact` tells the keys of old dicts apart (`handlers['chunk']`), `wild` does not.
    Runs of the same reference to the same type (a linked list) count once.
    """

    reach: Reach
    _places: dict[int, Place] = field(default_factory=dict)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    _last_step: dict[int, tuple[object, ...]] = field(default_factory=dict)
    _texts: dict[int, str] = field(default_factory=dict)

    def places(self, objects: U32) -> list[Place]:
        """The place of each of these objects, all of which are reached."""
        asked = objects.tolist()
        ways = self._ways_up(objects)
        for start in asked:
            chain, obj = [], start
            while obj not in self._places and obj in ways:
                chain.append(obj)
                obj = ways[obj][0]
            for obj in reversed(chain):
                self._places[obj] = self._place(obj, *ways[obj])
        return [self._places[obj] for obj in asked]

    def token(self, ref: int, source: int, *, exact: bool) -> str:
        """What is alike in the references of one slot: the name, or `[*]` for what a container holds."""
        graph = self.reach.graph
        kind = graph.kind(ref)
        if kind == Kind.KEY_STR and self.reach.is_namespace[source]:
            return f".{self._name(ref)}"
        if kind in DATA_KINDS:
            return f"['{normalised(self._text(ref))}']" if exact and kind == Kind.KEY_STR else "[*]"
        if kind in _NAMED:
            return f".{self._name(ref)}"
        return kind.name if kind in _UNLABELLED else f"{kind.name} {self._text(ref)}"

    def _name(self, ref: int) -> str:
        return self.reach.numbered.get(int(self.reach.graph.ref_labels[ref])) or self._text(ref)

    def _text(self, ref: int) -> str:
        graph = self.reach.graph
        if int(graph.ref_kinds[ref]) & KIND_MASK in (Kind.INDEX, Kind.STACK):
            return ""
        number = int(graph.ref_labels[ref])
        text = self._texts.get(number)
        if text is None:
            text = self._texts[number] = graph.strings[number]
        return text

    def _ways_up(self, objects: U32) -> dict[int, tuple[int, int]]:
        """(parent, reference) of each of these and of everything above that has no place yet."""
        ways: dict[int, tuple[int, int]] = {}
        parent_ref = self.reach.paths.parent_ref
        is_done = np.zeros(self.reach.graph.object_count, np.bool_)
        is_done[list(self._places)] = True
        level = distinct(objects)
        for _ in range(_HIGHEST):
            level = level[~is_done[level]]
            if not len(level):
                break
            is_done[level] = True
            refs = parent_ref[level]
            has_parent = refs != NO
            parents = np.full(len(level), NO, np.uint32)
            parents[has_parent] = sources_of(self.reach.graph, refs[has_parent])
            ways.update(zip(level.tolist(), zip(parents.tolist(), refs.tolist(), strict=True), strict=True))
            level = distinct(parents[has_parent])
        return ways

    def _place(self, obj: int, parent: int, ref: int) -> Place:
        graph = self.reach.graph
        type_row = int(graph.type_ids[obj])
        above = self._places.get(parent)
        if ref == NO or above is None:
            root = int(self.reach.paths.root[obj])
            kind = self.reach.root_kinds[root] if ref == NO else -1
            label = normalised(self.reach.root_labels[root]) if ref == NO else ""
            number = self._number(("root", kind, label, type_row))
            return number, number
        if graph.kind(ref) == Kind.DICT:
            return above
        exact = self._step(above[0], self.token(ref, parent, exact=True), type_row)
        wild = self._step(above[1], self.token(ref, parent, exact=False), type_row)
        return exact, wild

    def _step(self, above: int, token: str, type_row: int) -> int:
        step = (token, type_row)
        if self._last_step.get(above) == step:
            return above
        number = self._number((above, *step))
        self._last_step[number] = step
        return number

    def _number(self, key: tuple[object, ...]) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def name_numbers(reach: Reach, refs: U32, sources: U32) -> npt.NDArray[np.int64]:
    """A number for each reference, the same for those with the same kind and name; keys are no names."""
    graph = reach.graph
    kinds = kinds_of(graph, refs)
    labels = graph.ref_labels[refs].copy()
    labels[np.isin(kinds, list(DATA_KINDS)) & ~reach.is_namespace[sources]] = 0
    _, numbers = np.unique((kinds.astype(np.uint64) << np.uint64(32)) | labels, return_inverse=True)
    return np.asarray(numbers, np.int64)


def merged_places(places: list[Place], weights: list[int]) -> list[tuple[str, int]]:
    """One key for each place: the exact one where a few keys have several members, else the wild one.

    `weights` are how many members each place has.
    """
    counts: dict[int, dict[int, int]] = {}
    for (exact, wild), weight in zip(places, weights, strict=True):
        members = counts.setdefault(wild, {})
        members[exact] = members.get(exact, 0) + weight
    keeps_keys = {
        wild
        for wild, members in counts.items()
        if len(members) <= _FEW_KEYS and sum(members.values()) >= _MEMBERS_PER_KEY * len(members)
    }
    return [("exact", exact) if wild in keeps_keys else ("wild", wild) for exact, wild in places]


_FEW_KEYS: Final = 8
_MEMBERS_PER_KEY: Final = 2
