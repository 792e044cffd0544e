"""Whose bytes the new objects are: a partition by leak, so that the sums add up to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO, OUTSIDE, SHARED
from leakscan.analysis.graph.region import Region
from leakscan.heap.graph import U32

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GroupSize:
    """One group of survivors. `exclusive` is reachable only through them, themselves included;
    `shared` is reached from them and from another group too. `contents` lists the exclusive objects that
    are not the survivors themselves: (type, count, bytes), biggest first.
    """

    exclusive_count: int
    exclusive_bytes: int
    shared_count: int
    shared_bytes: int
    contents: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class SizeLedger:
    """Bytes of the region: the groups' exclusive ones, what several share, and what belongs to none.

    sum of exclusive_bytes + shared_bytes + other_bytes == total_bytes, always. `owner` says for each
    object of the region which group it belongs to: a group number, kernels.SHARED, or OUTSIDE.
    """

    groups: tuple[GroupSize, ...]
    shared_count: int
    shared_bytes: int
    other_count: int
    other_bytes: int
    total_count: int
    total_bytes: int
    owner: U32


def measure_groups(
    region: Region,
    groups: Sequence[npt.NDArray[np.integer]],
    *,
    named: Sequence[npt.NDArray[np.integer]] | None = None,
) -> SizeLedger:
    """Exclusive and shared sizes of groups of survivors (objects of the snapshot, disjoint groups).

    `named` are those of each group that it is called after (default: all); the others are its contents.
    """
    group_of = np.full(len(region), NO, np.uint32)
    heads = [region.numbers(group) for group in groups]
    for number, members in enumerate(heads):
        group_of[members] = number
    owner = kernels.owners(region.csr, group_of, roots=region.starts())
    in_group = owner < SHARED
    counts, sizes = kernels.census(
        np.where(in_group, owner, 0), region.sizes, key_count=max(1, len(groups)), members=in_group
    )
    shared, other = owner == SHARED, (owner == OUTSIDE) | (owner == NO)
    is_named = group_of != NO
    if named is not None:
        is_named[:] = False
        for objects in named:
            is_named[region.numbers(objects)] = True
    contents = _contents(region, owner, is_named, len(groups))
    rows = []
    for number, members in enumerate(heads):
        reached = _shared_with(region, owner, shared, members)
        rows.append(
            GroupSize(
                int(counts[number]),
                int(sizes[number]),
                int(reached.sum()),
                int(region.sizes[reached].sum()),
                contents[number],
            )
        )
    return SizeLedger(
        tuple(rows),
        int(shared.sum()),
        int(region.sizes[shared].sum()),
        int(other.sum()),
        int(region.sizes[other].sum()),
        len(region),
        int(region.sizes.sum()),
        owner,
    )


def _shared_with(region: Region, owner: U32, shared: Bools, members: U32) -> Bools:
    if not len(members) or not shared.any():
        return shared & False
    # Beyond a member of another group everything is that group's, or shared through it as well.
    own = owner[members[0]]
    elsewhere = ~shared & (owner != own)
    return np.asarray(kernels.reachable(region.csr, roots=members, barriers=elsewhere) & shared)


def _contents(
    region: Region, owner: U32, is_named: Bools, group_count: int
) -> list[tuple[tuple[str, int, int], ...]]:
    inside = np.flatnonzero((owner < SHARED) & ~is_named)
    types = region.graph.type_ids[region.objects[inside]].astype(np.int64)
    type_count = max(1, len(region.graph.types))
    pairs, row_of = np.unique(owner[inside].astype(np.int64) * type_count + types, return_inverse=True)
    counts, sizes = kernels.census(
        row_of.astype(np.uint32), region.sizes[inside], key_count=max(1, len(pairs))
    )
    listed: list[dict[str, tuple[int, int]]] = [{} for _ in range(group_count)]
    for row, pair in enumerate(pairs.tolist()):
        name = region.graph.type_names[pair % type_count]
        known = listed[pair // type_count].get(name, (0, 0))
        listed[pair // type_count][name] = (known[0] + int(counts[row]), known[1] + int(sizes[row]))
    return [
        tuple(
            sorted(
                ((name, count, size) for name, (count, size) in by_name.items()),
                key=lambda row: (-row[2], -row[1], row[0]),
            )
        )
        for by_name in listed
    ]
