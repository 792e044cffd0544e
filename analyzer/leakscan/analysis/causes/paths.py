"""Every independent reason why some survivors live, each with a path that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.kinship import Kinship, merged_places, name_numbers
from leakscan.analysis.dialects.hop import Hop, normalised
from leakscan.analysis.dialects.hops import read_hops
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.costs import LAST_RESORT
from leakscan.analysis.graph.kernels import NO, ShortestPaths
from leakscan.analysis.graph.refs import distinct, source_of, sources_of
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.heap.graph import U32

Indexes = npt.NDArray[np.intp]

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

    Of a path that is too long `left_out` references are missing before hop number `gap`.
    """

    root: int
    root_object: int
    hops: tuple[Hop, ...]
    gap: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """One slot through which survivors are held, or a root that leads to new objects directly.

    `refs` are the references of the slot, ascending, empty for a root, and `holders` some of the objects
    they start at; `members` are paths of some of the survivors that read alike but for their keys,
    cheapest first.
    """

    refs: U32
    holders: U32
    cost: int
    members: tuple[RawPath, ...]


def find_reasons(
    reach: Reach, new: NewGraph, kinship: Kinship, heads: U32, *, limit: int
) -> tuple[list[Reason], int]:
    """(the reasons why these new objects live, cheapest first, how many more there are).

    `heads` are numbers of the new graph. Exact: one search backward from the heads through the new
    objects finds every reference from an old object that keeps one of them alive. O(n + m) of the new graph.
    """
    backward = _backward(reach, new, heads)
    targets = new.local[reach.graph.ref_targets[reach.frontier]]
    leads = targets != NO
    leads[leads] = backward.distance[targets[leads]] != NO
    refs, sources = reach.frontier[leads], reach.frontier_sources[leads]
    cost = (
        reach.paths.distance[sources].astype(np.int64) + reach.costs[refs] + backward.distance[targets[leads]]
    )
    slots = _slots(reach, kinship, refs, sources)
    reasons = []
    for positions in slots:
        order = positions[np.argsort(cost[positions], kind="stable")]
        reasons.append((int(cost[order[0]]), refs[np.sort(positions)], refs[order[:_SAMPLES]]))
    reasons += [
        (int(reach.root_costs[rows[0]]), np.zeros(0, np.uint32), rows)
        for rows in _rooted(reach, new, backward)
    ]
    # What only matters when nothing else holds the object is no reason beside those that do.
    if any(cheapest < LAST_RESORT for cheapest, _, _ in reasons):
        reasons = [row for row in reasons if row[0] < LAST_RESORT]
    reasons.sort(key=lambda row: (row[0], -len(row[1])))
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


def _reading(reason: Reason) -> tuple[str, ...]:
    return tuple(hop.name_text for hop in reason.members[0].hops)


def _backward(reach: Reach, new: NewGraph, heads: U32) -> ShortestPaths:
    backward = new.backward
    return kernels.shortest_paths(
        backward.csr, roots=np.sort(heads), costs=reach.costs[new.refs[backward.refs]]
    )


def _slots(reach: Reach, kinship: Kinship, refs: U32, sources: U32) -> list[Indexes]:
    """Positions of the references of each slot: one name, or one container, in one place."""
    if not len(refs):
        return []
    holders, holder_of, counts = np.unique(sources, return_inverse=True, return_counts=True)
    places = merged_places(kinship.places(holders), counts.tolist())
    names = name_numbers(reach, refs, sources)
    # One look at each holder and name, however many references are alike.
    _, samples, sample_of = np.unique(
        (holder_of.astype(np.int64) << 32) | names, return_index=True, return_inverse=True
    )
    ids: dict[tuple[object, ...], int] = {}
    numbers = []
    for sample in samples.tolist():
        token = kinship.token(int(refs[sample]), int(sources[sample]), exact=False)
        numbers.append(ids.setdefault((places[holder_of[sample]], token), len(ids)))
    slot_of = np.array(numbers, np.int64)[sample_of]
    order = np.argsort(slot_of, kind="stable")
    bounds = np.searchsorted(slot_of[order], np.arange(len(ids) + 1))
    return [order[start:end] for start, end in pairwise(bounds.tolist())]


def _rooted(reach: Reach, new: NewGraph, backward: ShortestPaths) -> list[U32]:
    """Rows of the roots that lead to a head without an old object between, those of one name together."""
    rows = new.root_rows[backward.distance[new.rooted] != NO]
    by_name: dict[tuple[int, str], list[int]] = {}
    for row in rows.tolist():
        by_name.setdefault((reach.root_kinds[row], normalised(reach.root_labels[row])), []).append(row)
    return [np.array(group, np.uint32) for group in by_name.values()]


def _reason(walker: _Walker, row: tuple[int, U32, U32]) -> Reason:
    cost, refs, samples = row
    reach = walker.reach
    if not len(refs):
        rooted = [walker.from_root(root) for root in samples[:_SAMPLES].tolist()]
        return Reason(refs, refs, cost, _alike(reach, rooted))
    paths: list[RawPath] = []
    for ref in samples.tolist():
        paths.append(walker.through(ref))
        if paths[-1].left_out:
            break
    holders = distinct(sources_of(reach.graph, refs[:_SAMPLES]))
    return Reason(refs, holders, cost, _alike(reach, paths))


def _alike(reach: Reach, paths: Sequence[RawPath]) -> tuple[RawPath, ...]:
    """Those that read like the most common one."""
    shapes: dict[tuple[object, ...], list[RawPath]] = {}
    for path in paths:
        graph = reach.graph
        shape = tuple((hop.name_text, int(graph.type_ids[hop.target])) for hop in path.hops)
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
            return RawPath(root, root_object, read_hops(reach.graph, reach.modules, refs))
        first = read_hops(reach.graph, reach.modules, refs[:_END])
        last = read_hops(reach.graph, reach.modules, refs[-_END:])
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
