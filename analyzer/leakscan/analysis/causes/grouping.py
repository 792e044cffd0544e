"""Clusters of new objects in groups: same type, held in the same place; and which group speaks for which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.clusters import Clusters, count_links
from leakscan.analysis.causes.kinship import Kinship, merged_places, name_numbers
from leakscan.analysis.causes.telling import Telling, tell, tell_heads
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct, sources_of
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32

_HALF: Final = 0.5
_MOST_TOLD: Final = 500
"""Groups that are looked into for a telling type; lighter ones are named after what is held first."""
_SAME_RUNS: Final = 0.8
_MUCH_HEAVIER: Final = 10
"""What a builtin object has to weigh to speak for another one that holds it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Clusters of one type in one place. All object numbers are those of the new graph.

    `is_entry`: an old object or a root leads to the heads; else they are only held by other clusters.
    `telling` are the survivors the group is named after. `spoken_for` are the heads of groups that are not
    told of because they only hold this one: what they keep besides goes with it.
    """

    heads: U32
    is_entry: bool
    retained_bytes: int
    telling: Telling
    spoken_for: U32

    @property
    def rank(self) -> tuple[int, int, int]:
        """Heavier speaks for lighter; of equals the one with the more telling type."""
        return self.retained_bytes, -self.telling.tier, len(self.telling.objects)


def group_clusters(reach: Reach, clusters: Clusters, kinship: Kinship) -> list[Group]:
    """The groups that are leaks (or noise); the others only hold or are held by these.

    Those born in several runs (or nobody knows when) come first, then the heavier ones: when not all can
    be traced, what a single run left behind can wait.
    """
    heads = clusters.heads
    if not len(heads):
        return []
    numbers, is_entry = _number_groups(reach, clusters, kinship, heads)
    numbers, is_entry = _with_chains(reach, clusters, heads, numbers, is_entry)
    count = int(numbers.max()) + 1
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(count + 1))
    of_head = np.full(len(clusters.idom), NO, np.uint32)
    of_head[heads] = numbers
    of_object = of_head[clusters.top]
    by_group = np.argsort(of_object, kind="stable").astype(np.uint32)
    object_bounds = np.searchsorted(of_object[by_group], np.arange(count + 1))
    weights = np.bincount(numbers, clusters.retained[heads], minlength=count)
    told = set(np.argsort(-weights, kind="stable")[:_MOST_TOLD].tolist())
    groups = []
    for number in range(count):
        members = heads[order[bounds[number] : bounds[number + 1]]]
        objects = by_group[object_bounds[number] : object_bounds[number + 1]]
        telling = (tell if number in told else tell_heads)(reach, clusters, members, objects)
        entry = bool(is_entry[order[bounds[number]]])
        groups.append(Group(members, entry, int(clusters.retained[members].sum()), telling, members[:0]))
    chosen = _speakers(reach, clusters, groups, of_head)
    return sorted(chosen, key=lambda group: (group.telling.run_count != 1, *group.rank), reverse=True)


def _number_groups(
    reach: Reach, clusters: Clusters, kinship: Kinship, heads: U32
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(number of the group, whether an old object or a root leads there) for each head."""
    graph, paths = reach.graph, reach.paths
    objects = clusters.new.objects[heads]
    refs = paths.parent_ref[objects]
    sources = np.full(len(heads), NO, np.uint32)
    sources[refs != NO] = sources_of(graph, refs[refs != NO])
    is_inner = refs != NO
    is_inner[is_inner] = reach.survivors.is_new[sources[is_inner]]
    is_entry = np.zeros(len(clusters.idom), np.bool_)
    is_entry[clusters.new.entries] = True
    holders, counts = np.unique(sources[(refs != NO) & ~is_inner], return_counts=True)
    places = merged_places(kinship.places(holders), counts.tolist())
    place_of = dict(zip(holders.tolist(), places, strict=True))
    # One look at each holder, type and name, however many objects lie there.
    samples, sample_of = _distinct_slots(reach, objects, refs, sources, is_inner)
    ids: dict[tuple[object, ...], int] = {}
    numbers = []
    for sample in samples.tolist():
        ref, source, type_row = int(refs[sample]), int(sources[sample]), int(graph.type_ids[objects[sample]])
        key: tuple[object, ...]
        if ref == NO:
            key = (type_row, "root", reach.root_kinds[int(paths.root[objects[sample]])])
        elif not is_inner[sample]:
            key = (type_row, "entry", place_of[source], kinship.token(ref, source, exact=False))
        elif reach.modules.type_tiers[type_row] <= Tier.LIBRARY:
            # Which of its new holders is nearest may differ between objects of one leak.
            key = (type_row, "inner")
        else:
            key = (type_row, "inner", int(graph.type_ids[source]), int(graph.kind(ref)))
        numbers.append(ids.setdefault(key, len(ids)))
    return np.array(numbers, np.int64)[sample_of], is_entry[heads]


def _with_chains(
    reach: Reach,
    clusters: Clusters,
    heads: U32,
    numbers: npt.NDArray[np.int64],
    is_entry: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """A list linked both ways is held at its ends, which are as young or as old as one run: one group with
    what lies between."""
    types = reach.graph.type_ids[clusters.new.objects[heads]]
    births = reach.survivors.births_of(clusters.new.objects[heads])
    numbers, is_entry = numbers.copy(), is_entry.copy()
    for type_row in distinct(types[~is_entry]).tolist():
        if reach.modules.type_tiers[type_row] > Tier.LIBRARY:
            continue
        between = distinct(numbers[(types == type_row) & ~is_entry])
        inner = np.flatnonzero((types == type_row) & np.isin(numbers, between))
        runs = len(distinct(births[inner]))
        ends = [
            members
            for number in np.setdiff1d(numbers[types == type_row], between).tolist()
            if 2 * len(distinct(births[members := np.flatnonzero(numbers == number)])) <= runs
        ]
        if ends:
            joined = np.concatenate((inner, *ends))
            numbers[joined] = numbers[ends[0][0]]
            is_entry[joined] = True
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64), is_entry


def _distinct_slots(
    reach: Reach, objects: U32, refs: U32, sources: U32, is_inner: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(position of one object of each kind, which of them each object is like).

    Alike are objects of one type under one name of one old holder, or of any new holder of one type.
    """
    graph = reach.graph
    has_ref = refs != NO
    names = np.zeros(len(refs), np.int64)
    names[has_ref] = 1 + name_numbers(reach, refs[has_ref], sources[has_ref])
    holders = sources.astype(np.uint64)
    holders[is_inner] = graph.type_ids[sources[is_inner]] | np.uint64(1 << 33)
    alike = graph.type_ids[objects].astype(np.uint64)
    for column in (names, holders):
        _, numbers = np.unique(column, return_inverse=True)
        _, alike = np.unique((alike << np.uint64(32)) | numbers.astype(np.uint64), return_inverse=True)
        alike = alike.astype(np.uint64)
    _, samples, sample_of = np.unique(alike, return_index=True, return_inverse=True)
    return samples, sample_of


def _speakers(reach: Reach, clusters: Clusters, groups: list[Group], of_head: U32) -> list[Group]:
    """Leaves out groups that only hold a more telling one, and those that are only held by others."""
    links = count_links(clusters, of_head)
    spoken_for: dict[int, int] = {}
    rows = zip(
        links.source.tolist(), links.target.tolist(), links.holding.tolist(), links.held.tolist(), strict=True
    )
    for source, target, holding, held in rows:
        light, heavy = groups[source], groups[target]
        if holding < _HALF * len(light.heads) or held < _HALF * len(heavy.heads):
            continue
        if not (_is_stack(reach, clusters, light, heavy) or _speaks_for(heavy, light)):
            continue
        best = spoken_for.get(source)
        if best is None or _telling_first(groups[best]) < _telling_first(heavy):
            spoken_for[source] = target
    speaking = set(spoken_for.values())
    carried: dict[int, list[U32]] = {number: [] for number in range(len(groups))}
    for number in spoken_for:
        carried[_speaker_of(number, spoken_for)].append(groups[number].heads)
    return [
        replace(group, spoken_for=np.concatenate([group.spoken_for, *carried[number]]))
        for number, group in enumerate(groups)
        if number not in spoken_for and (group.is_entry or number in speaking)
    ]


def _speaker_of(number: int, spoken_for: dict[int, int]) -> int:
    """Who speaks in the end; the groups get heavier on the way, but for stacks, which are looked at once."""
    seen = {number}
    while (heavier := spoken_for.get(number)) is not None and heavier not in seen:
        seen.add(heavier)
        number = heavier
    return number


def _speaks_for(heavy: Group, light: Group) -> bool:
    if heavy.rank <= light.rank or heavy.telling.tier > light.telling.tier:
        return False
    if heavy.telling.run_count < _SAME_RUNS * light.telling.run_count:
        return False
    is_anonymous = heavy.telling.tier > Tier.LIBRARY
    return not is_anonymous or heavy.retained_bytes >= _MUCH_HEAVIER * light.retained_bytes


def _is_stack(reach: Reach, clusters: Clusters, frames: Group, thread: Group) -> bool:
    """Whether the one is the stacks of new threads and the other something with a name that is on them."""
    is_frame = reach.graph.type_name(int(clusters.new.objects[frames.heads[0]])) == "<frame>"
    return is_frame and thread.telling.tier < Tier.BUILTIN


def _telling_first(group: Group) -> tuple[int, tuple[int, int, int]]:
    return -group.telling.tier, group.rank
