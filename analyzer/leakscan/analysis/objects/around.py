"""What stands around one object: its fields, its holders, and the paths that lead to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from leakscan.analysis.causes.paths import RawPath
from leakscan.analysis.causes.steps import name_of, place_of, root_text
from leakscan.analysis.dialects.segment import Segment
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.graph.kernels import BLOCKED, NO
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.unused_variables import SCOPE, UnusedVariables
from leakscan.analysis.objects.views import ObjectView, Reference
from leakscan.analysis.results.findings import Path, Step
from leakscan.heap.graph import U32
from leakscan.heap.kinds import (
    BIRTH_BASELINE,
    BIRTH_OWN,
    BIRTH_UNKNOWN,
    BIRTH_WAITING,
    IMMORTAL,
    KIND_MASK,
    Kind,
    ObjectFlag,
    RootKind,
)

_UNINTERESTING: Final = (Kind.TYPE, Kind.MACHINERY)
_PLAIN_KEYS: Final = ("str", "int", "float", "bool", "bytes", "NoneType")
_MOST_PATHS: Final = 6
_PATHS_LOOKED_AT: Final = 64
_LONGEST_FOLD: Final = 3


def view(heap: Heap, obj: int, *, limit: int = 40, unused: UnusedVariables | None = None) -> ObjectView:
    """All that is known of the object; at most `limit` fields, holders and dominated objects.

    `unused` tells of variables that no function uses; without it none is said to be.
    """
    graph = heap.graph
    fields, field_count = _fields(heap, obj, limit, unused)
    holders, holder_count = _holders(heap, obj, limit)
    dominated = heap.dominated_by(obj)
    place = graph.location_of(obj)
    birth, note = _birth(heap, obj)
    count = int(graph.refcounts[obj])
    paths, paths_omitted = _paths(heap, obj)
    return ObjectView(
        this=heap.named(obj),
        pattern=heap.label(obj),
        refcount=None if graph.runtime == "v8" or count == IMMORTAL else count,
        birth=birth,
        birth_note=note,
        file=place.file if place else "",
        line=place.line if place else 0,
        site=_site(heap, obj),
        retained_count=int(heap.retained_counts[obj]),
        is_live=bool(heap.life.is_live[obj]),
        has_finalizer=bool(int(graph.flags[obj]) & ObjectFlag.FINALIZER),
        roots=_roots(heap, obj),
        fields=fields,
        field_count=field_count,
        holders=holders,
        holder_count=holder_count,
        dominators=tuple(map(heap.named, heap.dominators_of(obj))),
        dominated=tuple(map(heap.named, heap.biggest(dominated, limit).tolist())),
        dominated_count=len(dominated),
        paths=paths,
        paths_omitted=paths_omitted,
    )


def _fields(
    heap: Heap, obj: int, limit: int, unused: UnusedVariables | None
) -> tuple[tuple[Reference, ...], int]:
    """Named references in their order; of a big container those that retain most."""
    chains = _outgoing(heap, obj)
    targets = heap.graph.ref_targets[chains[:, -1]]
    shown = np.flatnonzero(heap.is_shown[targets] & ~_says_nothing(heap, chains[:, -1], targets))
    chosen = shown
    if len(shown) > limit:
        sizes = heap.retained[targets[shown]].astype(np.int64)
        chosen = np.sort(shown[np.argsort(-sizes, kind="stable")[:limit]])
    found = []
    for row in chosen.tolist():
        refs = [int(ref) for ref in chains[row] if ref != NO]
        is_unused = unused is not None and unused.is_unused(refs[-1])
        found.append(_reference(heap, refs, int(targets[row]), is_only_of=obj, is_unused=is_unused))
    return tuple(found), len(shown)


def _says_nothing(heap: Heap, refs: U32, targets: U32) -> np.typing.NDArray[np.bool_]:
    """Keys that the entry's own name says already, and what V8 keeps for itself."""
    graph = heap.graph
    kinds = graph.ref_kinds[refs] & np.uint8(KIND_MASK)
    if graph.runtime == "v8":
        return np.asarray((kinds == Kind.INTERNAL) | (kinds == Kind.KEY))
    rows = [row for row, name in enumerate(graph.type_names) if name in _PLAIN_KEYS]
    return np.asarray((kinds == Kind.KEY) & np.isin(graph.type_ids[targets], rows))


def _outgoing(heap: Heap, obj: int) -> np.typing.NDArray[np.uint32]:
    """References of the object, a row each; those that only lead to a namespace are read through.

    Column 1 is the reference that a reader sees, column 0 the one through its namespace, or NO.
    """
    graph = heap.graph
    own = np.arange(int(graph.first_ref[obj]), int(graph.first_ref[obj + 1]), dtype=np.uint32)
    kinds = graph.ref_kinds[own] & np.uint8(KIND_MASK)
    own = own[~np.isin(kinds, [int(kind) for kind in _UNINTERESTING])]
    rows = []
    for at, ref in enumerate(own.tolist()):
        if at >= 64 and len(own) > 256:
            # A namespace is among the first references of its owner.
            break
        if leads_inside(heap, ref):
            target = int(graph.ref_targets[ref])
            inner = np.arange(int(graph.first_ref[target]), int(graph.first_ref[target + 1]), dtype=np.uint32)
            kinds = graph.ref_kinds[inner] & np.uint8(KIND_MASK)
            is_key = (kinds == Kind.KEY) if graph.runtime != "v8" else np.zeros(len(inner), np.bool_)
            inner = inner[~is_key & ~np.isin(kinds, [int(kind) for kind in _UNINTERESTING])]
            if len(inner):
                rows.append(np.stack((np.full(len(inner), ref, np.uint32), inner), axis=1))
                own = own[own != ref]
    rows.insert(0, np.stack((np.full(len(own), NO, np.uint32), own), axis=1))
    return np.concatenate(rows)


def leads_inside(heap: Heap, ref: int) -> bool:
    graph = heap.graph
    kind = graph.kind(ref)
    if graph.runtime == "v8":
        # The scope of a function; what surrounds a scope is another one.
        return kind == Kind.DICT and graph.type_name(source_of(graph, ref)) != SCOPE
    if kind == Kind.DICT:
        return True
    return kind == Kind.SLOT and graph.label(ref) == "__closure__"


def _holders(heap: Heap, obj: int, limit: int) -> tuple[tuple[Reference, ...], int]:
    """References that lead here, those of the objects nearest to a root first, weak ones last."""
    refs, sources = _incoming(heap, obj)
    is_weak = heap.life.weak[refs] != 0
    order = np.lexsort((refs, heap.reach.paths.distance[sources], is_weak))[:limit]
    found = [
        _reference(heap, _folded_upwards(heap, ref), None, is_only_of=None) for ref in refs[order].tolist()
    ]
    return tuple(found), len(refs)


def _incoming(heap: Heap, obj: int) -> tuple[U32, U32]:
    rows = heap.incoming
    span = slice(int(rows.first[obj]), int(rows.first[obj + 1]))
    refs, sources = rows.refs[span], rows.sources[span]
    kinds = heap.graph.ref_kinds[refs] & np.uint8(KIND_MASK)
    kept = heap.is_shown[sources] & (kinds != Kind.MACHINERY)
    if heap.graph.runtime == "v8":
        kept &= heap.life.weak[refs] == 0
    return refs[kept], sources[kept]


def _folded_upwards(heap: Heap, ref: int) -> list[int]:
    """The reference, and those before it that read as one with it: a `__dict__`, a closure's cell."""
    graph, refs = heap.graph, [ref]
    for _ in range(_LONGEST_FOLD):
        source = source_of(graph, refs[0])
        parent = int(heap.reach.paths.parent_ref[source])
        if parent == NO:
            break
        is_cell = graph.type_name(source) == "cell"
        if not (is_cell or leads_inside(heap, parent)):
            break
        refs.insert(0, parent)
    return refs


def _reference(
    heap: Heap, refs: list[int], other: int | None, *, is_only_of: int | None, is_unused: bool = False
) -> Reference:
    graph = heap.graph
    last = refs[-1]
    target = int(graph.ref_targets[last])
    segments = read_segments(graph, heap.reach.modules, refs)
    source = source_of(graph, refs[0])
    return Reference(
        text="".join(segment.text for segment in segments),
        kind=graph.kind(last).name.lower(),
        other=heap.named(source if other is None else other),
        is_only=is_only_of is not None and is_only_of in _near_dominators(heap, target),
        is_weak=bool(heap.life.weak[last]),
        is_unused=is_unused,
        number=last,
    )


def _near_dominators(heap: Heap, target: int) -> tuple[int, ...]:
    """The dominator, and the one above it: a namespace stands between an instance and its attribute."""
    up = int(heap.dominance.idom[target])
    if up == NO or up >= heap.graph.object_count:
        return ()
    return (up, int(heap.dominance.idom[up]))


def _paths(heap: Heap, obj: int) -> tuple[tuple[Path, ...], int]:
    """Cheapest paths that enter by different references, not through itself; and how many more were met."""
    reach = heap.reach
    refs, sources = _incoming(heap, obj)
    costs = reach.costs[refs]
    usable = (costs < BLOCKED) & (heap.life.weak[refs] == 0) & (reach.paths.distance[sources] != NO)
    refs, sources, costs = refs[usable], sources[usable], costs[usable]
    order = np.lexsort((refs, reach.paths.distance[sources].astype(np.int64) + costs))
    seen: set[tuple[str, ...]] = set()
    found: list[Path] = []
    omitted = 0
    rows = np.flatnonzero(reach.root_targets == obj).tolist()
    if rows and reach.paths.parent_ref[obj] == NO:
        found.append(_written(heap, rows[0], obj, ()))
    for at in order[:_PATHS_LOOKED_AT].tolist():
        source, ref = int(sources[at]), int(refs[at])
        before = reach.paths.references_to(source)
        through = {source, *(source_of(heap.graph, each) for each in before)}
        if obj in through:
            continue
        segments = read_segments(heap.graph, reach.modules, [*before, ref])
        # Entries of one container, the same attribute of many objects: one way in.
        reading = tuple(segment.name_text for segment in segments)
        if reading in seen:
            continue
        seen.add(reading)
        if len(found) >= _MOST_PATHS:
            omitted += 1
            continue
        row = int(reach.paths.root[source])
        found.append(_written(heap, row, int(reach.root_targets[row]), segments))
    return tuple(found), omitted


def _written(heap: Heap, row: int, root_object: int, segments: Sequence[Segment]) -> Path:
    graph, reach = heap.graph, heap.reach
    steps = []
    if not segments or reach.root_kinds[row] != RootKind.MODULE:
        steps.append(_step(heap, "holds", "root", root_object))
    steps += [_step(heap, segment.text, segment.kind.name.lower(), segment.target) for segment in segments]
    raw = RawPath(row, root_object, tuple(segments))
    kind = RootKind(reach.root_kinds[row])
    if kind == RootKind.THREAD and steps and graph.type_name(root_object) == "<frame>":
        steps[0] = _step(heap, "running frame", "thread", root_object)
    return Path(root_text(reach, raw), kind.name.lower(), tuple(steps))


def _step(heap: Heap, text: str, kind: str, obj: int) -> Step:
    place = place_of(heap.graph, obj)
    return Step(
        text,
        kind,
        heap.graph.type_name(obj),
        name=name_of(heap.graph, obj),
        file=place.file if place else "",
        line=place.line if place else 0,
        object=obj + 1,
    )


def _roots(heap: Heap, obj: int) -> tuple[str, ...]:
    rows = np.flatnonzero(heap.reach.root_targets == obj).tolist()
    return tuple(dict.fromkeys(root_text(heap.reach, RawPath(row, obj, ())) for row in rows))


def _birth(heap: Heap, obj: int) -> tuple[int | None, str]:
    value = int(heap.graph.births[obj])
    if value == BIRTH_UNKNOWN or not heap.graph.has_births:
        return None, "not recorded"
    if value == BIRTH_WAITING:
        return None, "while leakscan waited"
    if value == BIRTH_OWN:
        return None, "leakscan's own"
    return value, "before the runs" if value == BIRTH_BASELINE else f"in run {value}"


def _site(heap: Heap, obj: int) -> str:
    graph = heap.graph
    number = int(graph.sites[obj]) - 1 if len(graph.site_files) else -1
    if not 0 <= number < len(graph.site_files):
        return ""
    file = graph.strings[int(graph.site_files[number])]
    return (
        f"{file}:{int(graph.site_lines[number])} {graph.strings[int(graph.site_functions[number])]}".strip()
    )
