"""Which survivors of a group a leak is named after: the class a developer wrote, not the dict it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.clusters import Clusters
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32

_THIN_WRAPPER: Final = 0.9
"""A class speaks for the one that holds it when it is nearly all of it, one for one."""
_WORTH_NAMING: Final = 0.1
_REBUILT: Final = 2
"""A container that is new holds objects of at least this many times as many runs: it was built anew."""

Indexes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Telling:
    """`objects` (numbers of the new graph, ascending) of one type, and in how many runs they were born."""

    objects: U32
    type_row: int
    tier: int
    run_count: int


def tell_heads(reach: Reach, clusters: Clusters, heads: U32, objects: U32) -> Telling:
    """The heads themselves."""
    return _telling(reach, clusters, heads, int(reach.graph.type_ids[clusters.new.objects[heads[0]]]))


@dataclass(frozen=True, slots=True)
class _TypeSummary:
    """Row i: type `rows[i]`, of which `count[i]` objects lie under no other of their own type."""

    rows: Indexes
    of_object: Indexes
    is_topmost: npt.NDArray[np.bool_]
    count: Indexes
    retained: npt.NDArray[np.float64]
    run_count: Indexes


def tell(reach: Reach, clusters: Clusters, heads: U32, objects: U32) -> Telling:
    """The survivors to name among `objects`, all that the clusters of `heads` hold."""
    summary = _summary(reach, clusters, heads, objects)
    type_row = int(reach.graph.type_ids[clusters.new.objects[heads[0]]])
    own = int(np.searchsorted(summary.rows, type_row))
    total = float(clusters.retained[heads].sum())
    tiers = reach.modules.type_tiers[summary.rows].astype(np.int64)
    runs_of_heads = _run_count(reach, clusters.new.objects[heads])
    rebuilt = summary.run_count >= np.maximum(_REBUILT * runs_of_heads, runs_of_heads + 2)
    worth = summary.retained >= _WORTH_NAMING * total
    if (rebuilt & worth).any():
        # A list that was replaced by a longer one is as young as its last run; what it holds is the leak.
        chosen = _best(rebuilt & worth, tiers, summary)
        return _telling(reach, clusters, objects[summary.of_object == chosen], int(summary.rows[chosen]))
    if tiers[own] > Tier.LIBRARY:
        named = (tiers < tiers[own]) & (tiers <= Tier.LIBRARY) & worth & (2 * summary.count >= len(heads))
        if named.any():
            # One for each head says more than the many small ones that it shares with its neighbours.
            each = named & (summary.count == len(heads)) & (tiers == tiers[named].min())
            chosen = _best(each if each.any() else named, tiers, summary)
            return _topmost(reach, clusters, objects, summary, chosen)
        return _telling(reach, clusters, heads, type_row)
    inside = (
        (tiers <= tiers[own]) & (summary.count == len(heads)) & (summary.retained >= _THIN_WRAPPER * total)
    )
    inside[own] = False
    if inside.any():
        return _topmost(reach, clusters, objects, summary, _best(inside, tiers, summary))
    return _telling(reach, clusters, heads, type_row)


def _summary(reach: Reach, clusters: Clusters, heads: U32, objects: U32) -> _TypeSummary:
    numbers = clusters.new.objects[objects]
    types = reach.graph.type_ids[numbers]
    rows, of_object = np.unique(types, return_inverse=True)
    parents = clusters.idom[objects]
    is_topmost = np.ones(len(objects), np.bool_)
    below = parents < len(clusters.idom)
    is_topmost[below] = reach.graph.type_ids[clusters.new.objects[parents[below]]] != types[below]
    births = reach.survivors.births_of(numbers).astype(np.int64)
    runs = distinct(of_object[births > 0].astype(np.int64) << 16 | births[births > 0])
    return _TypeSummary(
        rows.astype(np.intp),
        of_object,
        is_topmost,
        np.bincount(of_object[is_topmost], minlength=len(rows)),
        np.bincount(of_object, clusters.retained[objects] * is_topmost, minlength=len(rows)).astype(
            np.float64
        ),
        np.bincount(runs >> 16, minlength=len(rows)),
    )


def _best(mask: npt.NDArray[np.bool_], tiers: npt.NDArray[np.int64], summary: _TypeSummary) -> int:
    """Row of the type with the best tier, then the most retained bytes, then the fewest objects."""
    candidates = np.flatnonzero(mask)
    order = np.lexsort((summary.count[candidates], -summary.retained[candidates], tiers[candidates]))
    return int(candidates[order[0]])


def _topmost(reach: Reach, clusters: Clusters, objects: U32, summary: _TypeSummary, row: int) -> Telling:
    chosen = objects[(summary.of_object == row) & summary.is_topmost]
    return _telling(reach, clusters, chosen, int(summary.rows[row]))


def _telling(reach: Reach, clusters: Clusters, objects: U32, type_row: int) -> Telling:
    objects = np.sort(objects)
    runs = _run_count(reach, clusters.new.objects[objects])
    return Telling(objects, type_row, int(reach.modules.type_tiers[type_row]), runs)


def _run_count(reach: Reach, objects: U32) -> int:
    births = reach.survivors.births_of(np.sort(objects))
    return int(np.count_nonzero(np.bincount(births)[1:]))
