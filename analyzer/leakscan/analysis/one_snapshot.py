"""What one snapshot says by itself: paths to the objects of a type, and the biggest dominators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.births.survivors import Survivors
from leakscan.analysis.causes.causes import SlotFacts, find_causes
from leakscan.analysis.causes.holding import find_holding
from leakscan.analysis.causes.leaks import write_cause
from leakscan.analysis.cuts.also_held import OtherHolders
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.graph.refs import distinct, refs_from, with_one_row_for_each_name
from leakscan.analysis.numbering import Numbering
from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.called import find_meant
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.results.findings import Path
from leakscan.analysis.slots.reach import Reach, explore, new_graph
from leakscan.analysis.slots.slots import find_slots
from leakscan.analysis.top import Top, top
from leakscan.analysis.type_filter import type_rows_named
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import ObjectFlag

_MOST_PATHS: Final = 8
_MOST_NUMBERS: Final = 100


@dataclass(frozen=True, slots=True)
class PathGroup:
    """Objects of a type that are held in the same way. `paths` are independent, cheapest first."""

    signature: str
    type_name: str
    count: int
    shallow_bytes: int
    paths: tuple[Path, ...]
    paths_omitted: int


@dataclass(frozen=True, slots=True)
class TypePaths:
    """Every way in which the objects of the asked types are held, biggest group first.

    `unreachable` objects of these types wait for the garbage collector: nothing holds them.
    """

    asked: str
    count: int
    unreachable: int
    groups: tuple[PathGroup, ...]
    groups_omitted: int
    objects_omitted: int


def paths_to_type(
    graph: HeapGraph, type_name: str, *, limit: int = 0, objects: U32 | None = None
) -> TypePaths:
    """Paths from the roots to the objects of the types whose qualified name ends with `type_name`.

    A path stops at the first of them that it meets, so each is one way in that a person can follow.
    `limit` is the most groups written, 0 writes all; with `objects` the way to these is told, whatever they
    are. UsageError: no such type.
    """
    graph = with_one_row_for_each_name(graph)
    asked = np.zeros(graph.object_count, np.bool_)
    asked[objects if objects is not None else _of_types(graph, type_name)] = True
    # Objects may be what a runtime makes for itself; a type means the program's.
    left_out = ObjectFlag.OWN if objects is not None else ObjectFlag.OWN | ObjectFlag.SYNTHETIC
    asked &= (graph.flags & np.uint8(left_out)) == 0
    reach = _explore(graph, asked)
    new = new_graph(reach)
    names = SlotNames(graph, reach.modules.type_tiers, reach.paths.parent_ref)
    table = find_slots(Earlier(graph, graph), reach, new, names)
    holding = find_holding(reach, new, table, runs=0)
    # Nothing is known of growth in one snapshot: every slot is a reason.
    causes = find_causes(holding, SlotFacts([True] * len(table), *2 * ([False] * len(table),)), joins=False)
    types = graph.type_ids[new.objects]
    found = [
        group
        for cause in causes
        for row in distinct(types[cause.objects]).tolist()
        if (
            group := write_cause(
                holding, cause, cause.objects[types[cause.objects] == row], limit=_MOST_PATHS
            )
        )
    ]
    found.sort(key=lambda group: (-len(group.heads), group.type_name, group.signature))
    most = limit or len(found)
    numbering = Numbering()
    return TypePaths(
        asked=type_name,
        count=int(asked.sum()),
        unreachable=int((asked & ~reach.is_held).sum()),
        groups=tuple(
            PathGroup(
                group.signature,
                group.type_name,
                len(group.heads),
                int(graph.sizes[group.heads].sum(dtype=np.uint64)),
                tuple(map(numbering.path, (group.path, *group.also_held_by))),
                group.path_count_omitted,
            )
            for group in found[:most]
        ),
        groups_omitted=len(found[most:]),
        objects_omitted=sum(len(group.heads) for group in found[most:]),
    )


def _of_types(graph: HeapGraph, type_name: str) -> U32:
    found = np.isin(graph.type_ids, type_rows_named(graph, type_name))
    return np.flatnonzero(found).astype(np.uint32)


def top_of(graph: HeapGraph, *, limit: int, depth: int, under: str | None = None) -> Top:
    """The biggest dominators of a snapshot; with `under`, of what is below the biggest object that it means.

    UsageError: `under` means nothing in the snapshot.
    """
    graph = with_one_row_for_each_name(graph)
    heap = Heap(graph)
    meant = () if under is None else tuple(heap.biggest(find_meant(heap, under), _MOST_NUMBERS).tolist())
    start = meant[0] if meant else None
    found = top(heap, limit=limit, depth=depth, under=start)
    found = replace(found, meant=meant if len(meant) > 1 else ())
    if start is not None and not found.objects:
        own = refs_from(graph, np.array([start], np.uint32))
        nobody, no_roots = np.zeros(graph.object_count, np.bool_), np.zeros(0, np.uint32)
        others = OtherHolders(graph, heap.life).of(own, no_roots, nobody)
        return replace(found, expanded=view(heap, start, limit=limit), also_held_by=others.slots)
    return found


def _explore(graph: HeapGraph, asked: np.typing.NDArray[np.bool_]) -> Reach:
    objects = np.flatnonzero(asked).astype(np.uint32)
    # No identity: nothing is old or new in one snapshot, so no step may say so.
    survivors = Survivors(asked, objects, np.zeros(len(objects), np.uint16), "")
    return explore(graph, survivors, liveness(graph))
