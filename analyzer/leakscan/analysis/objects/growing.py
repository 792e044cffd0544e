"""Growth as a tree: which objects keep more than they did, down to what is new.

The tree is that of the later snapshot's dominators. An object that was there before grew by what it retains
more; a new one by all that it retains. New objects of one type below one object are one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.objects.heap import Heap
from leakscan.heap.graph import U32

_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Grown:
    """An object that grew, or the new objects of one type below the same object; `object` is the biggest."""

    object: int
    label: str
    type_name: str
    count: int
    is_new: bool
    before_bytes: int
    after_bytes: int

    @property
    def grew_bytes(self) -> int:
        return self.after_bytes - self.before_bytes


@dataclass(frozen=True, slots=True)
class Below:
    """What grew below one object, most first; and what went away or shrank there, in bytes."""

    rows: tuple[Grown, ...]
    omitted: int
    gone_count: int
    gone_bytes: int
    shrunk_bytes: int


class GrowthTree:
    """Two snapshots of one process, compared object by object. O(n log n) once, then by what is asked."""

    def __init__(self, before: Heap, after: Heap) -> None:
        self._before, self.heap = before, after

    @property
    def root(self) -> int:
        """The number that stands above all roots."""
        return self.heap.graph.object_count

    @cached_property
    def _earlier(self) -> npt.NDArray[np.int64]:
        """The number that each object had in the earlier snapshot, -1 for a new one."""
        before, after = self._before.graph, self.heap.graph
        is_new = find_survivors(before, after).is_new
        order = np.argsort(before.addresses, kind="stable")
        at = np.searchsorted(before.addresses[order], after.addresses)
        found = np.full(after.object_count, _NONE, np.int64)
        if not before.object_count:
            return found
        twins = order[np.minimum(at, before.object_count - 1)]
        # Several classes may have one name.
        rows: dict[str, int] = {}
        of_before = np.array([rows.setdefault(name, len(rows)) for name in before.type_names], np.int64)
        of_after = np.array([rows.get(name, _NONE) for name in after.type_names], np.int64)
        is_known = (before.addresses[twins] == after.addresses) & ~is_new
        is_known &= of_after[after.type_ids] == of_before[before.type_ids[twins]]
        found[is_known] = twins[is_known]
        return found

    @cached_property
    def _is_gone(self) -> npt.NDArray[np.bool_]:
        gone = np.ones(self._before.graph.object_count, np.bool_)
        gone[self._earlier[self._earlier != _NONE]] = False
        return gone

    def prepare(self) -> None:
        """Everything that a question needs."""
        _ = self.heap.retained, self.heap.below, self._before.retained, self._before.below, self._is_gone

    def total(self, obj: int) -> tuple[int, int]:
        """Bytes that the object (or the root) retained before, and after."""
        if obj == self.root:
            return int(self._before.retained[-1]), int(self.heap.retained[-1])
        twin = int(self._earlier[obj])
        return (0 if twin == _NONE else self._kept_before(twin)), int(self.heap.retained[obj])

    def _kept_before(self, twin: int) -> int:
        return int(self._before.retained[twin]) if int(self._before.dominance.idom[twin]) != NO else 0

    def below(self, obj: int, limit: int) -> Below:
        """At most `limit` rows of what grew directly below the object."""
        children = self.heap.dominated_by(obj)
        twins = self._earlier[children]
        after = self.heap.retained[children].astype(np.int64)
        is_old = twins != _NONE
        before = np.zeros(len(children), np.int64)
        before[is_old] = self._before.retained[twins[is_old]]
        grew = after - before
        rows = [*self._new(children[~is_old], after[~is_old], limit)]
        old = np.flatnonzero(is_old & (grew > 0))
        for at in old[np.lexsort((children[old], -grew[old]))[:limit]].tolist():
            rows.append(self._row(int(children[at]), 1, int(before[at]), int(after[at]), is_new=False))
        rows.sort(key=lambda row: (-row.grew_bytes, row.object))
        new_kinds = len(np.unique(self.heap.graph.type_ids[children[~is_old]]))
        gone_count, gone_bytes = self._gone_below(obj)
        return Below(
            tuple(rows[:limit]),
            max(len(old) + new_kinds - limit, 0),
            gone_count,
            gone_bytes,
            int(-grew[is_old & (grew < 0)].sum()),
        )

    def members(self, obj: int, type_name: str, limit: int) -> tuple[Grown, ...]:
        """The biggest new objects of that type directly below the object."""
        children = self.heap.dominated_by(obj)
        names = self.heap.graph.type_names
        is_of_type = np.array([name == type_name for name in names], np.bool_)[
            self.heap.graph.type_ids[children]
        ]
        chosen = children[is_of_type & (self._earlier[children] == _NONE)]
        return tuple(
            self._row(each, 1, 0, int(self.heap.retained[each]), is_new=True)
            for each in self.heap.biggest(chosen, limit).tolist()
        )

    def _new(self, children: U32, sizes: npt.NDArray[np.int64], limit: int) -> list[Grown]:
        if not len(children):
            return []
        kinds, groups, counts = np.unique(
            self.heap.graph.type_ids[children], return_inverse=True, return_counts=True
        )
        sums = np.bincount(groups, sizes, minlength=len(kinds))
        rows = []
        for group in np.lexsort((kinds, -sums))[:limit].tolist():
            members = np.flatnonzero(groups == group)
            biggest = int(children[members[np.argmax(sizes[members])]])
            rows.append(self._row(biggest, int(counts[group]), 0, int(sums[group]), is_new=True))
        return rows

    def _gone_below(self, obj: int) -> tuple[int, int]:
        if obj != self.root and int(self._earlier[obj]) == _NONE:
            return 0, 0
        at = self._before.graph.object_count if obj == self.root else int(self._earlier[obj])
        children = self._before.dominated_by(at)
        gone = children[self._is_gone[children]]
        return len(gone), int(self._before.retained[gone].sum())

    def _row(self, obj: int, count: int, before: int, after: int, *, is_new: bool) -> Grown:
        heap = self.heap
        return Grown(obj, heap.label(obj), heap.graph.type_name(obj), count, is_new, before, after)
