"""Survivors as leaks: named, held by so many slots, with a signature that is the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.causes.clusters import find_clusters
from leakscan.analysis.causes.grouping import group_clusters
from leakscan.analysis.causes.groups import ANY_LABEL, LeakGroup, Slot
from leakscan.analysis.causes.kinship import DATA_KINDS, Kinship, merged_places
from leakscan.analysis.causes.paths import RawPath, Reason, find_reasons
from leakscan.analysis.causes.steps import Writing, has_callback, name_of, root_text, write_path
from leakscan.analysis.dialects.hop import normalised
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.refs import distinct, kinds_of, source_of
from leakscan.analysis.judge.noise import HELD_BY, noise_rule
from leakscan.analysis.results.findings import Path
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.heap.graph import U32
from leakscan.heap.kinds import IMMORTAL, Kind, RootKind

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
_NAMES_COMPARED: Final = 200
_FEWEST_TRACED: Final = 40
_MOST_TRACED: Final = 400
_REFERENCES_WALKED: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is looked at and written; what is left out is always counted.

    `leaks`: groups that are traced, 0 for as many as a second allows. `paths`: written for each leak.
    """

    leaks: int = 0
    paths: int = 8


@dataclass(frozen=True, slots=True)
class LeakSearch:
    """The groups found, heaviest first; `omitted_groups` lighter ones with `omitted_objects` survivors."""

    groups: tuple[LeakGroup, ...]
    omitted_groups: int
    omitted_objects: int


def find_leaks(
    reach: Reach, new: NewGraph, *, runs: int, limits: Limits, heads: U32 | None = None
) -> LeakSearch:
    """Groups of survivors with the same generalised path.

    `heads` (objects of the snapshot, held and new) narrows to these survivors; otherwise the survivors
    to name are chosen so that each group is one thing to fix.
    """
    kinship = Kinship(reach)
    if heads is None:
        clustered = group_clusters(reach, find_clusters(reach, new), kinship)
        groups = [group.telling.objects for group in clustered]
        companions = [np.concatenate((group.heads, group.spoken_for)) for group in clustered]
    else:
        groups = _by_place(kinship, new, heads)
        companions = [group[:0] for group in groups]
    names = SlotNames(reach.graph, reach.modules.type_tiers, reach.paths.parent_ref, reach.numbered)
    most = limits.leaks or _affordable(new)
    chosen = groups[:most]
    found = [
        replace(_leak(reach, new, kinship, names, group, runs, limits), companions=np.sort(new.objects[held]))
        for group, held in zip(chosen, companions, strict=False)
    ]
    rest = groups[most:]
    merged = _merged(found)
    if heads is None:
        merged = _without_companions(reach, merged)
    return LeakSearch(tuple(merged), len(rest), sum(len(group) for group in rest))


def _affordable(new: NewGraph) -> int:
    """Each group is a search through the new objects."""
    walk = len(new.objects) + len(new.refs) + 1
    return max(_FEWEST_TRACED, min(_MOST_TRACED, _REFERENCES_WALKED // walk))


def _by_place(kinship: Kinship, new: NewGraph, heads: U32) -> list[U32]:
    """These survivors by the place that their cheapest path leads to, biggest group first."""
    objects = np.sort(heads)
    places = merged_places(kinship.places(objects), [1] * len(objects))
    groups: dict[tuple[object, ...], list[int]] = {}
    types = kinship.reach.graph.type_ids[objects]
    for obj, place, type_row in zip(objects.tolist(), places, types.tolist(), strict=True):
        groups.setdefault((place, type_row), []).append(obj)
    members = [new.local[np.array(group, np.uint32)] for group in groups.values()]
    return sorted(members, key=len, reverse=True)


def _leak(
    reach: Reach, new: NewGraph, kinship: Kinship, names: SlotNames, members: U32, runs: int, limits: Limits
) -> LeakGroup:
    heads = np.sort(new.objects[members])
    reasons, omitted = find_reasons(reach, new, kinship, members, limit=limits.paths)
    births = reach.survivors.births_of(heads)
    writing = Writing(reach, frozenset(heads.tolist()), runs if births.any() else 0)
    paths = [write_path(writing, reason) for reason in reasons]
    slots = tuple(_slot(reach, names, reason) for reason in reasons if len(reason.refs))
    type_name = reach.graph.type_name(int(heads[0]))
    name = _owner_name(reach, heads, slots)
    noise, is_bounded = _noise(reach, heads, reasons[0], paths[0])
    return LeakGroup(
        heads=heads,
        births=births,
        type_name=type_name,
        name=name,
        signature=_signature(reach, type_name, name, reasons[0]),
        path=paths[0],
        also_held_by=tuple(paths[1:]),
        slots=slots,
        path_count_omitted=omitted,
        noise=noise,
        noise_is_bounded=is_bounded,
    )


def _noise(reach: Reach, heads: U32, reason: Reason, path: Path) -> tuple[str, bool]:
    """(why it is library noise, whether the library bounds it)."""
    if path.root_kind == "module" and reach.survivors.is_new[reason.members[0].root_object]:
        return "module imported lazily", False
    if path.root_kind == "static_type" and len(path.steps) == 1:
        return "type of an extension module imported lazily", True
    if _are_live_weak_references(reach, heads):
        return "weak references, which go with what they refer to", True
    if bounded := _held_by_library(reach, heads, reason):
        return bounded, True
    if path.root_kind == "held_from_c" and _are_immortal_strings(reach, heads):
        return "strings interned for ever by this version of Python", True
    tiers = reach.modules.type_tier_by_name
    rule = noise_rule(path, lambda name: tiers.get(name) is Tier.APPLICATION)
    if rule is None or (rule.is_direct and not _are_held_by_roots(reach, heads)):
        return "", False
    is_programs_own = rule.is_runner and tiers.get(reach.graph.type_name(int(heads[0]))) is Tier.APPLICATION
    return rule.reason, rule.is_bounded and not is_programs_own


def _are_held_by_roots(reach: Reach, heads: U32) -> bool:
    """Whether a root leads to each of most of them: one may also hold a whole chain of handlers."""
    return 2 * int(np.isin(heads, reach.graph.roots.targets).sum()) > len(heads)


def _held_by_library(reach: Reach, heads: U32, reason: Reason) -> str:
    graph = reach.graph
    survivor = graph.type_name(int(heads[0]))
    for owner in (hop.target for hop in reason.members[0].hops):
        if (found := HELD_BY.get((graph.type_name(owner), survivor))) is not None:
            return found
    return ""


def _are_immortal_strings(reach: Reach, heads: U32) -> bool:
    """CPython 3.12 makes every interned string immortal; no program can let go of one."""
    graph = reach.graph
    return graph.type_name(int(heads[0])) == "str" and bool((graph.refcounts[heads] == IMMORTAL).all())


def _are_live_weak_references(reach: Reach, heads: U32) -> bool:
    """Whether these are weak references to new objects, with a callback that clears them away.

    Many to one object that lives for ever do not go: something makes them again and again.
    """
    graph = reach.graph
    for obj in heads[:_NAMES_COMPARED].tolist():
        targets = [
            int(graph.ref_targets[ref]) for ref in graph.references(obj) if graph.kind(ref) == Kind.WEAK
        ]
        is_new = any(reach.survivors.is_new[target] for target in targets)
        if not is_new or not has_callback(graph, obj):
            return False
    return True


def _slot(reach: Reach, names: SlotNames, reason: Reason) -> Slot:
    graph = reach.graph
    ref = _entry(reach, reason.members[0])
    holder = source_of(graph, ref)
    is_contents = graph.kind(ref) in DATA_KINDS and not reach.is_namespace[holder]
    return Slot(
        holder=holder,
        holders=reason.holders,
        label=ANY_LABEL if is_contents else int(graph.ref_labels[ref]),
        refs=reason.refs,
        pattern=names.slot_pattern(ref, every=is_contents),
    )


def _entry(reach: Reach, path: RawPath) -> int:
    """The reference of the path that leads from an old object to the first new one."""
    is_new = reach.survivors.is_new
    targets = reach.graph.ref_targets
    return next(ref for hop in path.hops for ref in hop.refs if is_new[targets[ref]])


def _owner_name(reach: Reach, heads: U32, slots: Sequence[Slot]) -> str:
    """What builtin objects are called: by their function, or by the slot that holds them."""
    graph = reach.graph
    type_row = int(graph.type_ids[heads[0]])
    type_name = graph.type_names[type_row]
    if (word := _CALLED.get(type_name)) is not None:
        called = {normalised(name_of(graph, obj)) for obj in heads[:_NAMES_COMPARED].tolist()}
        if len(called) == 1 and (name := called.pop()):
            return f"{word} {name}"
    if target := _weak_target(reach, heads):
        return f"weak reference to {target}"
    if reach.modules.type_tiers[type_row] < Tier.BUILTIN:
        return ""
    return f"{type_name} in {slots[0].pattern}" if slots else ""


def _weak_target(reach: Reach, heads: U32) -> str:
    """The type that all of these refer to weakly, "" when they are no weak references or of several."""
    graph = reach.graph
    targets = set()
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
    hops = reason.members[0].hops
    start = _inside_root(reach, reason.members[0])
    first_new = next((at for at, hop in enumerate(hops) if at >= start and is_new[hop.target]), len(hops))
    words: list[str] = []
    # The names above the holder that its class gives it: `Workflow` and `_runs`, not the whole way.
    for at in range(max(start, first_new - 2), first_new):
        words += [_old_name(reason, at), graph.type_name(hops[at].target)]
    for hop in hops[first_new:]:
        step = [hop.name_text, graph.type_name(hop.target)]
        if words[-2:] != step:
            words += step
    return words


def _inside_root(reach: Reach, path: RawPath) -> int:
    """Steps within the interpreter's callbacks for its end: an array until 3.13, then a list of tuples."""
    if reach.root_labels[path.root] != _END_CALLBACKS:
        return 0
    return next((at for at, hop in enumerate(path.hops) if hop.kind != Kind.INDEX), len(path.hops))


def _old_name(reason: Reason, at: int) -> str:
    """A key of an old dict is a name of the program when all members share it: `handlers['chunk']`."""
    hop = reason.members[0].hops[at]
    if hop.kind == Kind.KEY_STR and len({member.hops[at].key for member in reason.members}) == 1:
        return hop.form.format(normalised(hop.key))
    return hop.name_text


def _without_companions(reach: Reach, groups: list[LeakGroup]) -> list[LeakGroup]:
    """What lies in the slots of a more telling group goes with it: a table's keys with its values."""
    kept: list[LeakGroup] = []
    for group in groups:
        for at, heavier in enumerate(kept):
            speaker, other = _by_name(reach, heavier, group)
            if (
                _goes_with(reach, other, speaker)
                or _is_library_part(reach, other, speaker)
                or _is_on_its_stack(reach, other, speaker)
            ):
                companions = distinct(np.concatenate((speaker.companions, other.companions, other.heads)))
                kept[at] = replace(speaker, companions=companions)
                break
        else:
            kept.append(group)
    return kept


def _by_name(reach: Reach, heavier: LeakGroup, lighter: LeakGroup) -> tuple[LeakGroup, LeakGroup]:
    """The group to tell of, and the one that goes with it: in the very same slots the better name counts."""
    tiers = [reach.modules.tier_of(int(group.heads[0])) for group in (heavier, lighter)]
    is_same = {slot.pattern for slot in heavier.slots} == {slot.pattern for slot in lighter.slots}
    is_same &= heavier.path.root_kind == lighter.path.root_kind or bool(heavier.slots)
    is_better = tiers[1] < tiers[0] or (tiers[1] == tiers[0] and _are_keys(reach, heavier))
    is_better &= is_same or _is_library_part(reach, heavier, lighter)
    return (lighter, heavier) if is_better else (heavier, lighter)


def _goes_with(reach: Reach, group: LeakGroup, speaker: LeakGroup) -> bool:
    if not group.slots or group.path_count_omitted:
        return False
    is_named = reach.modules.tier_of(int(group.heads[0])) <= Tier.LIBRARY
    if is_named and not (_are_keys(reach, group) and not _are_keys(reach, speaker)):
        return False
    same_places = {(slot.pattern, slot.holder) for slot in group.slots} <= {
        (slot.pattern, slot.holder) for slot in speaker.slots
    }
    return same_places and len(distinct(group.births)) <= len(distinct(speaker.births))


def _is_library_part(reach: Reach, group: LeakGroup, speaker: LeakGroup) -> bool:
    """Whether a library keeps one object for each of the program's, and in the same place."""
    tiers = [reach.modules.tier_of(int(one.heads[0])) for one in (group, speaker)]
    if tiers[0] < Tier.LIBRARY or tiers[1] != Tier.APPLICATION or len(group.heads) != len(speaker.heads):
        return False
    places = [{(slot.pattern, slot.holder) for slot in one.slots} for one in (group, speaker)]
    return bool(places[0] & places[1]) and np.array_equal(np.sort(group.births), np.sort(speaker.births))


def _is_on_its_stack(reach: Reach, group: LeakGroup, speaker: LeakGroup) -> bool:
    """Whether threads that never end hold both, on their stacks or in C calls made from there."""
    if (
        group.slots
        or speaker.path.root_kind != "thread"
        or not np.array_equal(np.sort(group.births), np.sort(speaker.births))
    ):
        return False
    if group.path.root_kind == "thread":
        return group.path.root == speaker.path.root
    is_builtin = reach.modules.tier_of(int(group.heads[0])) == Tier.BUILTIN
    return is_builtin and group.path.root_kind == "held_from_c"


def _are_keys(reach: Reach, group: LeakGroup) -> bool:
    """Whether these are the keys of tables and nothing else."""
    refs = [slot.refs for slot in group.slots]
    return bool(refs) and bool((kinds_of(reach.graph, np.concatenate(refs)) == Kind.KEY).all())


def _merged(found: list[LeakGroup]) -> list[LeakGroup]:
    """Groups with the same signature are one leak: what told them apart was a key."""
    by_signature: dict[str, LeakGroup] = {}
    for group in found:
        known = by_signature.get(group.signature)
        by_signature[group.signature] = group if known is None else _together(known, group)
    return list(by_signature.values())


def _together(one: LeakGroup, other: LeakGroup) -> LeakGroup:
    heads = np.concatenate((one.heads, other.heads))
    order: npt.NDArray[np.intp] = np.argsort(heads, kind="stable")
    paths: dict[Path, None] = dict.fromkeys((*one.also_held_by, *other.also_held_by))
    paths.pop(one.path, None)
    return LeakGroup(
        heads=heads[order],
        births=np.concatenate((one.births, other.births))[order],
        type_name=one.type_name,
        name=one.name,
        signature=one.signature,
        path=one.path,
        also_held_by=tuple(paths),
        slots=_joined(one.slots, other.slots),
        path_count_omitted=one.path_count_omitted + other.path_count_omitted,
        noise=one.noise and other.noise,
        noise_is_bounded=one.noise_is_bounded and other.noise_is_bounded,
        companions=distinct(np.concatenate((one.companions, other.companions))),
    )


def _joined(one: tuple[Slot, ...], other: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The slots of both, those that are written alike as one."""
    slots = {slot.pattern: slot for slot in one}
    for slot in other:
        known = slots.get(slot.pattern)
        slots[slot.pattern] = (
            slot
            if known is None
            else replace(
                known,
                refs=distinct(np.concatenate((known.refs, slot.refs))),
                holders=distinct(np.concatenate((known.holders, slot.holders))),
            )
        )
    return tuple(slots.values())
