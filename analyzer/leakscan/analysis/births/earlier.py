"""The objects of an earlier snapshot that are the objects of a later one: same address, same type.

An object may have been given another class since, which births tell. A `__dict__` that an object did not
have yet is that object: its attributes lay inside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.births.identity import Mask, can_change_class
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import distinct, sources_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, KIND_MASK, Kind

_AT_ONCE: Final = 1 << 20
"""Objects of the earlier snapshot that are compared in one step, which bounds the memory of it."""


@dataclass(frozen=True)
class Earlier:
    """Finds objects of `after` in `before`; what was asked once is remembered."""

    before: HeapGraph
    after: HeapGraph
    _known: dict[int, int] = field(default_factory=dict, repr=False)

    def of(self, obj: int) -> int | None:
        """The object of `before` that `obj` of `after` is, None when it was not there."""
        if obj not in self._known:
            self.look_up(np.array([obj], np.uint32))
        found = self._known[obj]
        return None if found == NO else found

    def look_up(self, objects: U32) -> None:
        """Answers for those that were not asked for yet: one pass over the earlier snapshot. O(n log k)."""
        asked = np.array([obj for obj in distinct(objects).tolist() if obj not in self._known], np.uint32)
        self._known.update(dict.fromkeys(asked.tolist(), NO))
        if not len(asked) or not self.before.object_count:
            return
        addresses = self.after.addresses[asked]
        self.after.forget("addresses")
        order = np.argsort(addresses, kind="stable")
        addresses = addresses[order]
        for start in range(0, self.before.object_count, _AT_ONCE):
            there = self.before.addresses[start : start + _AT_ONCE]
            at = np.minimum(np.searchsorted(addresses, there), len(addresses) - 1)
            met = np.flatnonzero(addresses[at] == there)
            for earlier, obj in zip((met + start).tolist(), asked[order[at[met]]].tolist(), strict=True):
                if self.before.type_name(earlier) == self.after.type_name(obj) or self._changed(earlier, obj):
                    self._known[obj] = earlier
        self._look_up_owners(
            [obj for obj in asked.tolist() if self._known[obj] == NO and self.after.type_name(obj) == "dict"]
        )

    def _changed(self, earlier: int, obj: int) -> bool:
        """Whether this block was never handed out again, so that its object was given another class."""
        return (
            self.after.has_births
            and int(self.after.births[obj]) == BIRTH_BASELINE
            and bool(self._classes[0][self.before.type_ids[earlier]])
            and bool(self._classes[1][self.after.type_ids[obj]])
        )

    @cached_property
    def _classes(self) -> tuple[Mask, Mask]:
        return can_change_class(self.before), can_change_class(self.after)

    def _look_up_owners(self, dicts: list[int]) -> None:
        """For dicts that were not there: what they are the `__dict__` of, if that was."""
        if not dicts or self.after.runtime != "cpython":
            return
        refs, targets = self._dict_refs
        at = np.searchsorted(targets, np.array(dicts, np.uint32))
        inside = np.minimum(at, len(targets) - 1)
        found = [
            (obj, int(refs[row]))
            for obj, row in zip(dicts, inside.tolist(), strict=True)
            if len(targets) and int(targets[row]) == obj
        ]
        owners = sources_of(self.after, np.array([ref for _, ref in found], np.uint32))
        self.look_up(owners)
        for (obj, _), owner in zip(found, owners.tolist(), strict=True):
            self._known[obj] = self._known[owner]

    @cached_property
    def _dict_refs(self) -> tuple[U32, U32]:
        """(references to the `__dict__` of something, what they lead to), ordered by the latter."""
        refs = np.flatnonzero((self.after.ref_kinds & np.uint8(KIND_MASK)) == Kind.DICT).astype(np.uint32)
        targets = self.after.ref_targets[refs]
        order = np.argsort(targets, kind="stable")
        return refs[order], targets[order]
