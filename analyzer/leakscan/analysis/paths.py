"""Every independent reason why some survivors live, each with a path that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis import kernels
from leakscan.analysis.costs import LAST_RESORT
from leakscan.analysis.hops import Hop, normalised, read_hops
from leakscan.analysis.kernels import NO, ShortestPaths
from leakscan.analysis.kinship import Kinship, merged_places, name_numbers
from leakscan.analysis.reach import NewGraph, Reach
from leakscan.analysis.refs import distinct, source_of
from leakscan.heap.graph import U32

Indexes = npt.NDArray[np.intp]

_SAMPLES: Final = 64
"""Members of a slot whose paths are compared to see which keys differ."""
_LONGEST: Final = 20_000
"""References of a path that are followed before the middle of it is given up."""


@dataclass(frozen=True, slots=True)
class RawPath:
    """References from a root (row of `Reach.paths`' roots) to a survivor, in order."""

    root: int
    root_object: int
    hops: tuple[Hop, ...]
    is_shortened: bool = False


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
    found = [_reason(reach, new, backward, row) for row in reasons[: limit + _SAMPLES]]
    found.sort(key=lambda reason: (reason.cost, _reading(reason)))
    return found[:limit], max(0, len(reasons) - limit)


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


def _reason(reach: Reach, new: NewGraph, backward: ShortestPaths, row: tuple[int, U32, U32]) -> Reason:
    cost, refs, samples = row
    if not len(refs):
        rooted = [_rooted_path(reach, new, backward, root) for root in samples[:_SAMPLES].tolist()]
        return Reason(refs, refs, cost, _alike(reach, rooted))
    paths = [_raw_path(reach, new, backward, ref) for ref in samples.tolist()]
    holders = distinct(np.array([source_of(reach.graph, int(ref)) for ref in refs[:_SAMPLES]], np.uint32))
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


def _raw_path(reach: Reach, new: NewGraph, backward: ShortestPaths, entry: int) -> RawPath:
    """From the root to the slot's reference `entry`, and from its target on to the nearest head."""
    holder = source_of(reach.graph, entry)
    before = reach.paths.references_to(holder)
    after, is_shortened = _onward(new, backward, int(new.local[reach.graph.ref_targets[entry]]))
    refs = [*before, entry, *after]
    root_object = source_of(reach.graph, refs[0])
    hops = read_hops(reach.graph, reach.modules, refs)
    return RawPath(int(reach.paths.root[holder]), root_object, hops, is_shortened)


def _rooted_path(reach: Reach, new: NewGraph, backward: ShortestPaths, root: int) -> RawPath:
    """From a root that leads to a new object directly."""
    start = int(reach.root_targets[root])
    refs, is_shortened = _onward(new, backward, int(new.local[start]))
    return RawPath(root, start, read_hops(reach.graph, reach.modules, refs), is_shortened)


def _onward(new: NewGraph, backward: ShortestPaths, obj: int) -> tuple[list[int], bool]:
    refs: list[int] = []
    while (entry := int(backward.parent_ref[obj])) != NO:
        if len(refs) == _LONGEST:
            return refs, True
        forward = int(new.backward.refs[entry])
        refs.append(int(new.refs[forward]))
        obj = int(new.csr.targets[forward])
    return refs, False
