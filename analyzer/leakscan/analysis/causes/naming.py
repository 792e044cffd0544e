"""What a cause is called: after the member whose name says the most, by one sort key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.clusters import Clusters
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32
from leakscan.heap.v8_names import STORES

ACTORS: Final = frozenset(
    (
        "_asyncio.Task",
        "asyncio.tasks.Task",
        "threading.Thread",
        "threading.Timer",
        "concurrent.futures.thread.ThreadPoolExecutor",
        "concurrent.futures.process.ProcessPoolExecutor",
        "multiprocessing.pool.Pool",
        "multiprocessing.pool.ThreadPool",
        "multiprocessing.context.Process",
        "subprocess.Popen",
        "asyncio.events.TimerHandle",
        "asyncio.base_events.Server",
        "sqlite3.Connection",
        "ssl.SSLContext",
        "socket.socket",
    )
)
"""Types of the standard library that a reader acts on: they speak for what they are made of."""
_MINOR_ACTORS: Final = frozenset(
    ("asyncio.events.TimerHandle", "threading.Thread", "threading.Timer", "socket.socket", "ssl.SSLContext")
)
"""Those that something with a better name inside of them speaks for: the task that a timer wakes."""
_LINKS: Final = frozenset(("functools._lru_list_elem", "<frame>", "weakref.ReferenceType"))
"""What only links a container to what lies in it."""
_SEQUENCES: Final = frozenset(("list", "tuple", "set"))
_WORTH_NAMING: Final = 0.05
_MOSTLY: Final = 0.5
_THIN_WRAPPER: Final = 0.9
_SAME_RUNS: Final = 0.8
_FARTHEST: Final = 8
"""Steps up the dominator tree: a tuple of what a function in a tuple refers to is no thing of its own."""

Bools = npt.NDArray[np.bool_]


def is_worth_naming(type_name: str, tier: int) -> bool:
    return tier <= Tier.LIBRARY or type_name in ACTORS


@dataclass(frozen=True, slots=True)
class _Member:
    """One type among the objects of a cause."""

    type_row: int
    name: str
    tier: float
    depth: int
    count: int
    retained: float
    run_count: int
    is_actor: bool


def heads_of(
    reach: Reach,
    clusters: Clusters,
    objects: U32,
    core: U32,
    worst: Mapping[int, bool],
    *,
    run_count: int = 0,
) -> U32:
    """The objects (of the new graph, ascending) that the cause is named after: all of one type.

    `worst` says of each type row whether it is as bad as the cause itself. Application classes come before
    those of libraries, those before the builtin objects that lie in the slot; among equals the outermost one
    that is a part worth naming. A small part with a name says more than a large one without. `run_count`:
    how many runs there were where births only say between which snapshots.
    """
    for least in (_WORTH_NAMING, 0.0):
        for candidates in (core, objects):
            members = _members(reach, clusters, candidates, objects)
            named = _best_named(members, worst, least=least)
            if named is not None:
                return _of_type(reach, clusters, objects, named, run_count)
    members = _members(reach, clusters, objects, objects)
    return _of_type(reach, clusters, objects, _outermost(members, worst), run_count)


def _best_named(members: Sequence[_Member], worst: Mapping[int, bool], *, least: float) -> int | None:
    """The type whose name says the most, of those that are at least this part of the whole, by weight."""
    fitting = _fitting(members, worst)
    total = max((member.retained for member in members), default=0.0)
    runs = max((member.run_count for member in fitting), default=0)
    candidates = [
        member
        for member in fitting
        if member.tier <= Tier.LIBRARY
        and (member.is_actor or member.retained >= least * total)
        and member.run_count >= _SAME_RUNS * runs
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda member: (member.tier, member.depth, -member.retained, member.type_row))
    if not best.is_actor:
        best = _inside_thin_wrappers(best, candidates)
    return best.type_row


def _inside_thin_wrappers(best: _Member, candidates: Sequence[_Member]) -> _Member:
    """What a class holds one for one, and that is nearly all of it, says more than the class.

    Unless it is what one library is made of inside: of a DataFrame, its reader does not know the blocks.
    """
    for member in sorted(candidates, key=lambda member: member.depth):
        if (
            member.depth > best.depth
            and member.tier <= best.tier
            and member.count == best.count
            and member.retained >= _THIN_WRAPPER * best.retained
            and not _is_inside_of_a_library(best, member)
        ):
            best = member
    return best


def _is_inside_of_a_library(outer: _Member, inner: _Member) -> bool:
    package, dot, _ = outer.name.partition(".")
    return outer.tier == inner.tier == Tier.LIBRARY and bool(dot) and inner.name.startswith(f"{package}.")


def _outermost(members: Sequence[_Member], worst: Mapping[int, bool]) -> int:
    """Of builtin objects those that lie in the slot; one of the standard library when it is most of it."""
    # Where V8 keeps the properties of an object is no thing of its own.
    members = [member for member in members if member.name not in STORES] or members
    fitting = _fitting(members, worst) or members
    total = max(member.retained for member in members)
    runs = max(member.run_count for member in fitting)
    steady = [member for member in fitting if member.run_count >= _SAME_RUNS * runs]
    library = [
        member for member in steady if member.tier == Tier.STDLIB and member.retained >= _MOSTLY * total
    ]
    own = [member for member in steady if member.name not in _LINKS] or steady
    best = min(
        library or own, key=lambda member: (member.depth, -member.retained, -member.count, member.type_row)
    )
    if best.name in _SEQUENCES:
        # A list of dicts says less than the dicts, which have keys.
        within = [member for member in own if member.name == "dict" and member.count >= best.count]
        if within and within[0].retained >= _MOSTLY * best.retained:
            best = within[0]
    return best.type_row


def _fitting(members: Sequence[_Member], worst: Mapping[int, bool]) -> list[_Member]:
    return [member for member in members if worst.get(member.type_row)] or list(members)


def _members(reach: Reach, clusters: Clusters, objects: U32, whole: U32) -> list[_Member]:
    graph = reach.graph
    numbers = clusters.new.objects[objects]
    types = graph.type_ids[numbers]
    rows, of_object = np.unique(types, return_inverse=True)
    top = _is_topmost(reach, clusters, objects)
    births = reach.survivors.births_of(numbers).astype(np.int64)
    pairs = np.unique(of_object[births > 0].astype(np.int64) << 32 | births[births > 0])
    runs = np.bincount(pairs >> 32, minlength=len(rows))
    retained = np.bincount(of_object, clusters.retained[objects] * top, minlength=len(rows))
    counts = np.bincount(of_object, minlength=len(rows))
    depth = np.full(len(rows), np.iinfo(np.int64).max, np.int64)
    np.minimum.at(depth, of_object, clusters.depth[objects].astype(np.int64))
    found = []
    for at, row in enumerate(rows.tolist()):
        name, tier = graph.type_names[row], float(reach.modules.type_tiers[row])
        if name in ACTORS and tier > Tier.LIBRARY:
            tier = Tier.LIBRARY if name in _MINOR_ACTORS else Tier.APPLICATION
        found.append(
            _Member(
                row,
                name,
                tier,
                int(depth[at]),
                int(counts[at]),
                float(retained[at]),
                int(runs[at]),
                name in ACTORS - _MINOR_ACTORS,
            )
        )
    return found


def _of_type(reach: Reach, clusters: Clusters, objects: U32, type_row: int, run_count: int) -> U32:
    chosen: U32 = objects[reach.graph.type_ids[clusters.new.objects[objects]] == type_row]
    separate: U32 = chosen[_is_separate(reach, clusters, chosen)]
    # What the runs between two snapshots hung on one another is a thing of each, a text that grows say.
    return chosen if len(separate) < run_count <= len(chosen) else separate


def _is_topmost(reach: Reach, clusters: Clusters, objects: U32) -> Bools:
    """Whether no object of its own type holds it alone."""
    is_top: Bools = _nearest_of_its_type(reach, clusters, objects) == NO
    return is_top


def _is_separate(reach: Reach, clusters: Clusters, objects: U32) -> Bools:
    """A list in a list of the same run is no thing of its own; each object of a class that has a name is."""
    above = _nearest_of_its_type(reach, clusters, objects)
    nested: Bools = above != NO
    births = reach.survivors.births_of
    types = reach.graph.type_ids[clusters.new.objects[objects[nested]]]
    nested[nested] = (
        births(clusters.new.objects[objects[nested]]) == births(clusters.new.objects[above[nested]])
    ) & (reach.modules.type_tiers[types] > Tier.LIBRARY)
    return ~nested


def _nearest_of_its_type(reach: Reach, clusters: Clusters, objects: U32) -> U32:
    """Of those that hold it alone, the nearest one of the same type; NO where there is none near."""
    types, idom = reach.graph.type_ids[clusters.new.objects], clusters.idom
    found = np.full(len(objects), NO, np.uint32)
    looking, at = np.arange(len(objects)), objects
    for _ in range(_FARTHEST):
        at = idom[at]
        is_inside = at < len(idom)
        looking, at = looking[is_inside], at[is_inside]
        is_alike = types[at] == types[objects[looking]]
        found[looking[is_alike]] = at[is_alike]
        looking, at = looking[~is_alike], at[~is_alike]
    return found
