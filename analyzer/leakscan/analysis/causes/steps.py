"""Retention paths as findings: what several members of a leak have in common, written once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from leakscan.analysis.causes.paths import RawPath, Reason
from leakscan.analysis.dialects.segment import Segment, normalised
from leakscan.analysis.dialects.segments import general_text
from leakscan.analysis.results.findings import Path, Step
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import HeapGraph, Location
from leakscan.heap.kinds import Kind, RootKind
from leakscan.heap.v8_names import GLOBAL
from leakscan.wording import count_text

_ROOT_STEPS: Final = {
    RootKind.THREAD: "running frame",
    RootKind.HELD_FROM_C: "<held from C>",
    RootKind.UNCOLLECTED_CYCLE: "passes",
}
_WEAK_BY_KEY: Final = ("weakref.WeakKeyDictionary",)
_STANDS_FOR: Final = {
    "method": "__func__",
    "classmethod": "__func__",
    "staticmethod": "__func__",
    "functools.partial": "func",
    "functools.partialmethod": "func",
    "functools.cached_property": "func",
    "property": "fget",
    "builtins.property": "fget",
}
"""Types whose objects are known by the function they hold, in this attribute or slot."""
_LEFT_OUT: Final = "references before this left out"
_DEEPEST: Final = 8
_WALKED: Final = 500
_ALIKE: Final = 3
"""More equal steps than this one after the other are a linked structure, written once."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What the steps of a path say besides the references. `runs`: 0 when births are not known."""

    reach: Reach
    heads: frozenset[int]
    runs: int


def write_path(writing: Writing, reason: Reason) -> Path:
    """The path of a reason, keys that differ between its members generalised."""
    reach, members = writing.reach, reason.members
    first = members[0]
    columns = list(zip(*(member.segments for member in members), strict=True))
    steps = [*_root_step(reach, first), *(_step(writing, column, reason) for column in columns)]
    steps = _marked_holder(reach, first, steps)
    steps = _with_weak_note(reach.graph, first, steps)
    if first.left_out:
        at = len(steps) - len(first.segments) + first.gap
        steps[at] = replace(steps[at], note=f"{count_text(first.left_out)} {_LEFT_OUT}")
    roots = {root_text(reach, member) for member in members}
    root = roots.pop() if len(roots) == 1 else normalised(root_text(reach, first))
    return Path(root, _root_kind(reach, first).name.lower(), tuple(_folded_chain(steps)))


def root_text(reach: Reach, path: RawPath) -> str:
    """`module streamlab.workflow`, `thread 'MainThread'`, `atexit callbacks`, `held from C`."""
    label = reach.handles.get(path.root, reach.root_labels[path.root])
    if _root_kind(reach, path) == RootKind.STATIC_TYPE:
        return f"type {label}"
    if _root_kind(reach, path) != RootKind.MODULE or label == GLOBAL:
        return label
    row = reach.modules.rows.get(path.root_object)
    return f"module {label if row is None else reach.modules.names[row]}"


def _root_kind(reach: Reach, path: RawPath) -> RootKind:
    return RootKind(reach.root_kinds[path.root])


def _root_step(reach: Reach, path: RawPath) -> list[Step]:
    """The object a root leads to, which is a step of its own unless it is the module the root names."""
    kind = _root_kind(reach, path)
    if kind == RootKind.MODULE and path.segments:
        return []
    obj, graph = path.root_object, reach.graph
    place = place_of(graph, obj)
    return [
        Step(
            "holds" if graph.runtime == "v8" else _ROOT_STEPS.get(kind, "holds"),
            kind.name.lower(),
            graph.type_name(obj),
            name=name_of(graph, obj),
            file=place.file if place else "",
            line=place.line if place else 0,
            is_survivor=not path.segments,
            is_new=bool(reach.survivors.is_new[obj]),
            object=obj + 1,
        )
    ]


def _step(writing: Writing, segments: Sequence[Segment], reason: Reason) -> Step:
    graph = writing.reach.graph
    targets = [segment.target for segment in segments]
    names = {name_of(graph, obj) for obj in targets}
    places = {place_of(graph, obj) for obj in targets}
    place = min(places, key=lambda found: (found is None, str(found))) if places else None
    is_new = bool(writing.reach.survivors.is_new[targets[0]])
    return Step(
        general_text(segments),
        segments[0].kind.name.lower(),
        graph.type_name(targets[0]),
        name=names.pop() if len(names) == 1 else normalised(min(names)),
        file=place.file if place else "",
        line=place.line if place else 0,
        is_survivor=targets[0] in writing.heads,
        is_new=is_new,
        note=_rate_note(writing, targets, reason) if is_new else "",
        object=targets[0] + 1,
    )


def _rate_note(writing: Writing, targets: Sequence[int], reason: Reason) -> str:
    """`1 per run` when every member of the slot was looked at and the number is a multiple of the runs."""
    count = len(set(targets))
    if not writing.runs or count % writing.runs or len(reason.members) != len(reason.refs):
        return ""
    return f"{count_text(count // writing.runs)} per run"


def _marked_holder(reach: Reach, path: RawPath, steps: list[Step]) -> list[Step]:
    """Marks the last old object before the first new one, and says that the first one is old."""
    if not reach.survivors.identity:
        return steps
    first_new = next((at for at, step in enumerate(steps) if step.is_new), len(steps))
    if not first_new:
        return steps
    steps = list(steps)
    steps[first_new - 1] = replace(steps[first_new - 1], is_holder=True)
    is_frame = steps[0].type_name == "<frame>"
    if reach.survivors.objects.size and not steps[0].note and not is_frame:
        steps[0] = replace(steps[0], note="born before the runs")
    return steps


def _with_weak_note(graph: HeapGraph, path: RawPath, steps: list[Step]) -> list[Step]:
    """Names a table that is weak by key and yet holds: through a value that leads to its own key."""
    offset = len(steps) - len(path.segments)
    for at, segment in enumerate(path.segments):
        if graph.type_name(segment.target) not in _WEAK_BY_KEY:
            continue
        keys = _weak_targets(graph, path.segments[at + 1].target) if at + 1 < len(path.segments) else set()
        values = [later.target for later in path.segments[at + 2 :]]
        is_circle = _leads_to(graph, values, keys)
        reads = "a value keeps its own key alive" if is_circle else "its keys are weak, its values are not"
        position = at + offset
        steps[position] = replace(steps[position], note=f"weak by key, but {reads}")
    return steps


def _leads_to(graph: HeapGraph, objects: Sequence[int], wanted: set[int]) -> bool:
    """Whether these objects are or lead to one of the wanted, as far as one looks."""
    seen, waiting = set(objects), list(objects)
    while waiting and len(seen) < _WALKED:
        obj = waiting.pop(0)
        if obj in wanted:
            return True
        for ref in graph.references(obj):
            target = int(graph.ref_targets[ref])
            if graph.kind(ref) not in (Kind.WEAK, Kind.TYPE) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return not wanted.isdisjoint(waiting)


def _weak_targets(graph: HeapGraph, table: int) -> set[int]:
    """What the weak references among the keys of a dict refer to."""
    found = set()
    for ref in graph.references(table):
        if graph.kind(ref) == Kind.KEY:
            key = int(graph.ref_targets[ref])
            found |= {
                int(graph.ref_targets[inner])
                for inner in graph.references(key)
                if graph.kind(inner) == Kind.WEAK
            }
    return found


def _folded_chain(steps: list[Step]) -> list[Step]:
    """A long run of the same step to the same type is a linked list: its ends, and how many between."""
    folded: list[Step] = []
    at = 0
    while at < len(steps):
        end = at + 1
        while end < len(steps) and _reads_like(steps[at], steps[end]):
            end += 1
        if end - at <= _ALIKE:
            folded += steps[at:end]
        else:
            repeated = f"and {count_text(end - at - 2)} more like it"
            gap = f"{steps[at].note}; " if _LEFT_OUT in steps[at].note else ""
            folded += [replace(steps[at], note=f"{gap}{repeated}"), steps[end - 1]]
        at = end
    return folded


def _reads_like(one: Step, other: Step) -> bool:
    return (one.reference, one.type_name, one.is_new, one.is_holder) == (
        other.reference,
        other.type_name,
        other.is_new,
        other.is_holder,
    ) and _LEFT_OUT not in other.note


def name_of(graph: HeapGraph, obj: int) -> str:
    """The object's own name, or that of the function it stands for: a bound method's, a partial's."""
    name = graph.name_of(obj)
    if name is not None and graph.runtime == "v8":
        # A generator of V8's is of the type of its function.
        return "" if name == graph.type_name(obj) else name
    for _ in range(_DEEPEST):
        part = _STANDS_FOR.get(graph.type_name(obj))
        inner = None if part is None else _slot(graph, obj, part)
        if name is not None or inner is None:
            break
        obj, name = inner, graph.name_of(inner)
    return name or ""


def place_of(graph: HeapGraph, obj: int) -> Location | None:
    """Where in the source: a frame's or coroutine's current line, the first line of a function."""
    place = graph.location_of(obj)
    if place is not None or graph.type_name(obj) not in ("function", "method"):
        return place
    function = _slot(graph, obj, "__func__") if graph.type_name(obj) == "method" else obj
    code = None if function is None else _slot(graph, function, "__code__")
    return None if code is None else graph.location_of(code)


def _slot(graph: HeapGraph, obj: int, name: str) -> int | None:
    for ref in graph.references(obj):
        if graph.kind(ref) in (Kind.SLOT, Kind.ATTRIBUTE) and graph.label(ref) == name:
            return int(graph.ref_targets[ref])
    return None


def has_callback(graph: HeapGraph, weak_reference: int) -> bool:
    """Whether something is called when what the weak reference refers to dies."""
    callback = _slot(graph, weak_reference, "__callback__")
    return callback is not None and graph.type_name(callback) != "NoneType"
