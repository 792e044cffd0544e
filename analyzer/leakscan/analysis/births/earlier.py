"""The objects of an earlier snapshot that are the objects of a later one: same address, same type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import distinct
from leakscan.heap.graph import U32, HeapGraph

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
                if self.before.type_name(earlier) == self.after.type_name(obj):
                    self._known[obj] = earlier
