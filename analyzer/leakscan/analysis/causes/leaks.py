"""Causes written down: named, with the paths to them, and a signature that is the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from leakscan.analysis.causes.causes import Cause
from leakscan.analysis.causes.holding import Holding
from leakscan.analysis.causes.paths import RawPath, Reason, find_reasons
from leakscan.analysis.causes.shapes import shape_of
from leakscan.analysis.causes.steps import Writing, name_of, root_text, write_path
from leakscan.analysis.dialects.segment import normalised
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.results.findings import Path
from leakscan.analysis.slots.reach import Reach
from leakscan.analysis.slots.slot import Slot
from leakscan.heap.graph import U16, U32
from leakscan.heap.kinds import Kind, RootKind

_CALLED: Final = {
    **{name: name for name in ("function", "method", "coroutine", "generator", "async_generator", "code")},
    **{name: name for name in ("type", "property", "classmethod", "staticmethod", "method-wrapper")},
    **{f"{name}_descriptor": f"{name} descriptor" for name in ("method", "wrapper", "getset", "member")},
    "classmethod_descriptor": "classmethod descriptor",
    "builtin_function_or_method": "builtin",
    "builtin_method": "builtin",
    "functools.partial": "partial",
    "functools.partialmethod": "partialmethod",
    "functools.cached_property": "cached_property",
    "cell": "cell",
}
"""Builtin types whose objects have a name of their own, and the word before it."""
_END_CALLBACKS: Final = "atexit callbacks"
_TASKS: Final = ("_asyncio.Task", "asyncio.tasks.Task")
_NAMES_COMPARED: Final = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is looked at and written; what is left out is always counted.

    `leaks`: causes that are traced, 0 for as many as a second allows. `paths`: written for each leak.
    """

    leaks: int = 0
    paths: int = 8


@dataclass(frozen=True, slots=True)
class LeakGroup:
    """A cause, written down.

    `heads` are the survivors that it is named after, ascending, `births` their runs (0: unknown). `slots`
    keep them alive: the first is that of `path`, the others those of `also_held_by`, then further ones that
    no path was written for (`path_count_omitted`). `reason` is the first of them. `name` is what builtin
    objects are called by what owns them, "" when the type says enough. `objects` are all survivors of the
    cause that no other one holds, the heads among them; `in_use` the heads that something else holds as well.
    """

    heads: U32
    births: U16
    type_name: str
    name: str
    signature: str
    reason: Reason
    path: Path
    also_held_by: tuple[Path, ...]
    slots: tuple[Slot, ...]
    path_count_omitted: int
    objects: U32
    in_use: U32
    in_use_by: tuple[str, ...]


def write_cause(holding: Holding, cause: Cause, heads: U32, *, limit: int) -> LeakGroup | None:
    """The cause named after `heads` (numbers of the new graph). None when no slot of it leads to them."""
    reach, new, runs = holding.reach, holding.new, holding.runs
    slots = [holding.table.slots[slot] for slot in cause.slots]
    reasons, omitted = find_reasons(reach, new, heads, slots, limit=limit)
    if not reasons:
        return None
    objects = new.objects[heads]
    births = reach.survivors.births_of(objects)
    writing = Writing(reach, frozenset(objects.tolist()), runs if births.any() else 0)
    paths = [write_path(writing, reason) for reason in reasons]
    told = list(dict.fromkeys(reason.slot.pattern for reason in reasons))
    ordered = sorted(
        slots,
        key=lambda slot: (
            told.index(slot.pattern) if slot.pattern in told else len(told),
            slot.cost,
            slot.pattern,
        ),
    )
    type_name = reach.graph.type_name(int(objects[0]))
    name = _owner_name(reach, objects, ordered)
    return LeakGroup(
        heads=objects,
        births=births,
        type_name=type_name,
        name=name,
        signature=_signature(reach, type_name, name, reasons[0]),
        reason=reasons[0],
        path=paths[0],
        also_held_by=tuple(dict.fromkeys(path for path in paths[1:] if path != paths[0])),
        slots=tuple(ordered),
        path_count_omitted=omitted,
        objects=new.objects[np.setdiff1d(cause.objects, cause.shared)],
        in_use=new.objects[np.intersect1d(cause.in_use, heads)],
        in_use_by=tuple(sorted({holding.table.slots[slot].pattern for slot in cause.in_use_by})),
    )


def merged(groups: Sequence[LeakGroup]) -> list[LeakGroup]:
    """Groups with the same signature are one leak: what told them apart was a key."""
    found: dict[str, LeakGroup] = {}
    for group in groups:
        known = found.get(group.signature)
        found[group.signature] = group if known is None else _together(known, group)
    return list(found.values())


def _together(one: LeakGroup, other: LeakGroup) -> LeakGroup:
    heads = np.concatenate((one.heads, other.heads))
    order = np.argsort(heads, kind="stable")
    paths = dict.fromkeys((*one.also_held_by, *other.also_held_by))
    paths.pop(one.path, None)
    slots = {slot.identity: slot for slot in (*one.slots, *other.slots)}
    return replace(
        one,
        heads=heads[order],
        births=np.concatenate((one.births, other.births))[order],
        also_held_by=tuple(paths),
        slots=tuple(slots.values()),
        path_count_omitted=one.path_count_omitted + other.path_count_omitted,
        objects=distinct(np.concatenate((one.objects, other.objects))),
        in_use=distinct(np.concatenate((one.in_use, other.in_use))),
        in_use_by=tuple(sorted({*one.in_use_by, *other.in_use_by})),
    )


def _owner_name(reach: Reach, heads: U32, slots: Sequence[Slot]) -> str:
    """What builtin objects are called: by their function, or by the slot that holds them."""
    graph = reach.graph
    type_row = int(graph.type_ids[heads[0]])
    type_name = graph.type_names[type_row]
    if (word := _CALLED.get(type_name)) is not None:
        names = {normalised(name_of(graph, obj)) for obj in heads[:_NAMES_COMPARED].tolist()}
        if len(names) == 1 and (name := names.pop()):
            return f"{word} {name}"
    if graph.type_names[type_row] in _TASKS and (called := _coroutine_name(reach, heads)):
        return f"Task {called}"
    if target := _weak_target(reach, heads):
        return f"weak reference to {target}"
    if reach.modules.type_tiers[type_row] < Tier.BUILTIN:
        return ""
    if not slots:
        return ""
    return f"{shape_of(graph, heads.tolist()) or type_name} in {slots[0].pattern}"


def _weak_target(reach: Reach, heads: U32) -> str:
    """The type that all of these refer to weakly, "" when they are no weak references or of several."""
    graph = reach.graph
    targets = set()
    if graph.runtime == "v8" and graph.type_name(int(heads[0])) != "WeakRef":
        return ""
    for obj in heads[:_NAMES_COMPARED].tolist():
        weak = [int(graph.ref_targets[ref]) for ref in graph.references(obj) if graph.kind(ref) == Kind.WEAK]
        if len(weak) != 1:
            return ""
        targets.add(graph.type_name(weak[0]).rpartition(".")[2])
    return targets.pop() if len(targets) == 1 else ""


def _signature(reach: Reach, type_name: str, name: str, reason: Reason) -> str:
    """8 hexadecimal digits of what makes the leak the same leak elsewhere.

    In it: the type, the module (or kind of root), the last old object's slot, and the names from there
    to the survivor. Not in it: keys, indexes, addresses, sizes, counts, lines, the order of anything,
    and whether attributes lie inline or in a `__dict__`, which differs between Python versions.
    """
    path = reason.members[0]
    kind = RootKind(reach.root_kinds[path.root])
    root = normalised(root_text(reach, path)) if kind == RootKind.MODULE else kind.name
    words = [type_name, name if " in " not in name else "", root, *_suspect_words(reach, reason)]
    return hashlib.sha256("\x1f".join(words).encode("utf-8", "replace")).hexdigest()[:8]


def _suspect_words(reach: Reach, reason: Reason) -> list[str]:
    """From the holder down: the old object, then each step and the type it leads to."""
    is_new, graph = reach.survivors.is_new, reach.graph
    segments = reason.members[0].segments
    start = _inside_root(reach, reason.members[0])
    later = range(start, len(segments))
    first_new = next((at for at in later if is_new[segments[at].target]), len(segments))
    words: list[str] = []
    # The names above the holder that its class gives it: `Workflow` and `_runs`, not the whole way.
    for at in range(max(start, first_new - 2), first_new):
        words += [_old_name(reason, at), graph.type_name(segments[at].target)]
    for segment in segments[first_new:]:
        step = [segment.name_text, graph.type_name(segment.target)]
        if words[-2:] != step:
            words += step
    return words


def _inside_root(reach: Reach, path: RawPath) -> int:
    """Steps within the interpreter's callbacks for its end: an array until 3.13, then a list of tuples."""
    if reach.root_labels[path.root] != _END_CALLBACKS:
        return 0
    names = (at for at, segment in enumerate(path.segments) if segment.kind != Kind.INDEX)
    return next(names, len(path.segments))


def _old_name(reason: Reason, at: int) -> str:
    """A key of an old dict is a name of the program when all members share it: `handlers['chunk']`."""
    segment = reason.members[0].segments[at]
    if segment.kind == Kind.KEY_STR and len({member.segments[at].key for member in reason.members}) == 1:
        return segment.form.format(normalised(segment.key))
    return segment.name_text


def _coroutine_name(reach: Reach, tasks: U32) -> str:
    """What all of these tasks run, "" when they run several things."""
    graph, found = reach.graph, set()
    for task in tasks[:_NAMES_COMPARED].tolist():
        running = [int(graph.ref_targets[ref]) for ref in graph.references(task)]
        running = [obj for obj in running if graph.type_name(obj) in ("coroutine", "generator")]
        found.add(normalised(name_of(graph, running[0])).rpartition(".")[2] if running else "")
    return found.pop() if len(found) == 1 else ""
