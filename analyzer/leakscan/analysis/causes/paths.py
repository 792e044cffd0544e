"""Every independent reason why some survivors live, each with a path that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.dialects.segment import Segment
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.costs import LAST_RESORT
from leakscan.analysis.graph.kernels import NO, ShortestPaths
from leakscan.analysis.graph.refs import source_of, sources_of
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.analysis.slots.slot import Slot, entry_of
from leakscan.heap.graph import U32

_SAMPLES: Final = 64
"""Members of a slot whose paths are compared to see which keys differ."""
_LONGEST: Final = 5_000
"""References of a path that are kept; of a longer one, a linked list, both ends are."""
_END: Final = 100
_FARTHEST: Final = 3_000_000
"""References that are followed for the reasons of one leak before the rest of them is only counted."""


@dataclass(frozen=True, slots=True)
class RawPath:
    """References from a root (row of `Reach.paths`' roots) to a survivor, in order.

    Of a path that is too long `left_out` references are missing before segment number `gap`.
    """

    root: int
    root_object: int
    segments: tuple[Segment, ...]
    gap: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """One slot through which survivors are held, or a root that leads to new objects directly.

    `refs` are those references of the slot that lead to them, ascending, empty for a root; `members` are
    paths of some of the survivors that read alike but for their keys, cheapest first.
    """

    slot: Slot
    refs: U32
    cost: int
    members: tuple[RawPath, ...]


def find_reasons(
    reach: Reach, new: NewGraph, heads: U32, slots: Sequence[Slot], *, limit: int
) -> tuple[list[Reason], int]:
    """(the reasons why these new objects live, cheapest first, how many more there are).

    `heads` are numbers of the new graph, `slots` those that keep them alive. One search backward from the
    heads through the new objects finds where each slot leads to them. O(n + m) of the new graph.
    """
    backward = _backward(reach, new, heads)
    reasons = []
    for slot in slots:
        if len(slot.refs):
            reasons += _through(reach, new, backward, slot)
        rows = slot.rows[backward.distance[new.local[reach.root_targets[slot.rows]]] != NO]
        if len(rows):
            cheapest = int(reach.root_costs[rows].min())
            reasons.append((cheapest, np.zeros(0, np.uint32), rows, slot))
    # What only matters when nothing else holds the object is no reason beside those that do.
    if any(cost < LAST_RESORT for cost, _, _, _ in reasons):
        reasons = [row for row in reasons if row[0] < LAST_RESORT]
    reasons.sort(key=lambda row: (row[0], -len(row[1]), row[3].pattern))
    found: list[Reason] = []
    walker = _Walker(reach, new, backward)
    for row in reasons:
        # Those that cost the same are put in order by how they read, so all of them are looked at.
        is_enough = len(found) >= limit and (row[0] > found[limit - 1].cost or len(found) >= 2 * limit)
        if is_enough or (found and walker.walked > _FARTHEST):
            break
        found.append(_reason(walker, row))
    found.sort(key=lambda reason: (reason.cost, _reading(reason)))
    found = found[:limit]
    return found, len(reasons) - len(found)


def _through(
    reach: Reach, new: NewGraph, backward: ShortestPaths, slot: Slot
) -> list[tuple[int, U32, U32, Slot]]:
    targets = new.local[reach.graph.ref_targets[slot.refs]]
    leads = targets != NO
    leads[leads] = backward.distance[targets[leads]] != NO
    refs, onward = slot.refs[leads], backward.distance[targets[leads]]
    if not len(refs):
        return []
    sources = sources_of(reach.graph, refs)
    cost = reach.paths.distance[sources].astype(np.int64) + reach.costs[refs] + onward
    order = np.argsort(cost, kind="stable")
    return [(int(cost[order[0]]), refs, refs[order[:_SAMPLES]], slot)]


def path_of_slot(reach: Reach, slot: Slot) -> Reason:
    """The cheapest way from a root into the slot, as a reason with one member."""
    graph = reach.graph
    if not len(slot.refs):
        row = int(slot.rows[np.argmin(reach.root_costs[slot.rows])])
        raw = RawPath(row, int(reach.root_targets[row]), ())
        return Reason(slot, slot.refs, slot.cost, (raw,))
    ref = entry_of(reach, slot)
    holder = source_of(graph, ref)
    refs = [*reach.paths.references_to(holder), ref]
    left_out = max(0, len(refs) - _LONGEST)
    # The table of noise looks at the beginning and at the end.
    kept = refs if not left_out else [*refs[:_END], *refs[-_END:]]
    segments = read_segments(graph, reach.modules, kept)
    raw = RawPath(int(reach.paths.root[holder]), source_of(graph, refs[0]), segments)
    return Reason(slot, slot.refs, slot.cost, (raw,))


def _reading(reason: Reason) -> tuple[str, ...]:
    return tuple(segment.name_text for segment in reason.members[0].segments)


def _backward(reach: Reach, new: NewGraph, heads: U32) -> ShortestPaths:
    backward = new.backward
    return kernels.shortest_paths(
        backward.csr, roots=np.sort(heads), costs=reach.costs[new.refs[backward.refs]]
    )


def _reason(walker: _Walker, row: tuple[int, U32, U32, Slot]) -> Reason:
    cost, refs, samples, slot = row
    reach = walker.reach
    if not len(refs):
        rooted = [walker.from_root(root) for root in samples[:_SAMPLES].tolist()]
        return Reason(slot, refs, cost, _alike(reach, rooted))
    paths: list[RawPath] = []
    for ref in samples.tolist():
        paths.append(walker.through(ref))
        if paths[-1].left_out:
            break
    return Reason(slot, refs, cost, _alike(reach, paths))


def _alike(reach: Reach, paths: Sequence[RawPath]) -> tuple[RawPath, ...]:
    """Those that read like the most common one."""
    shapes: dict[tuple[object, ...], list[RawPath]] = {}
    for path in paths:
        graph = reach.graph
        shape = tuple((segment.name_text, int(graph.type_ids[segment.target])) for segment in path.segments)
        shapes.setdefault((len(shape), shape), []).append(path)
    best = min(shapes.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(best[1])


@dataclass
class _Walker:
    """Follows paths reference by reference; `walked` counts them."""

    reach: Reach
    new: NewGraph
    backward: ShortestPaths
    walked: int = 0
    _last: tuple[int, list[int]] = (-1, [])

    def through(self, entry: int) -> RawPath:
        """From the root to the slot's reference `entry`, and from its target on to the nearest head."""
        reach = self.reach
        holder = source_of(reach.graph, entry)
        target = int(self.new.local[reach.graph.ref_targets[entry]])
        refs = [*self._down_to(holder), entry, *self._onward(target)]
        return self._raw(int(reach.paths.root[holder]), source_of(reach.graph, refs[0]), refs)

    def from_root(self, root: int) -> RawPath:
        """From a root that leads to a new object directly."""
        start = int(self.reach.root_targets[root])
        return self._raw(root, start, self._onward(int(self.new.local[start])))

    def _raw(self, root: int, root_object: int, refs: list[int]) -> RawPath:
        reach = self.reach
        if len(refs) <= _LONGEST:
            return RawPath(root, root_object, read_segments(reach.graph, reach.modules, refs))
        first = read_segments(reach.graph, reach.modules, refs[:_END])
        last = read_segments(reach.graph, reach.modules, refs[-_END:])
        return RawPath(root, root_object, first + last, gap=len(first), left_out=len(refs) - 2 * _END)

    def _down_to(self, obj: int) -> list[int]:
        """References from the root to `obj`, the same for all entries of one container."""
        if self._last[0] != obj:
            self._last = (obj, self.reach.paths.references_to(obj))
            self.walked += len(self._last[1])
        return self._last[1]

    def _onward(self, obj: int) -> list[int]:
        refs: list[int] = []
        while (entry := int(self.backward.parent_ref[obj])) != NO:
            forward = int(self.new.backward.refs[entry])
            refs.append(int(self.new.refs[forward]))
            obj = int(self.new.csr.targets[forward])
        self.walked += len(refs)
        return refs
