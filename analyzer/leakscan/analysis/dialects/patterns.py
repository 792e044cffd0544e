"""Which references of a heap a pattern stands for; `pattern_text` has the language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.functions import functions_of_module
from leakscan.analysis.dialects.handles_v8 import rows_called
from leakscan.analysis.dialects.pattern_text import HeadKind, Pattern, PatternStep, StepKind
from leakscan.analysis.dialects.patterns_v8 import call_refs, with_folded
from leakscan.analysis.dialects.slots_v8 import (
    ES_MODULES,
    LISTED,
    REQUIRED,
    refs_in_list,
    refs_to_modules,
    required,
)
from leakscan.analysis.graph.refs import (
    kinds_of,
    objects_named,
    refs_from,
    source_of,
    sources_of,
    strings_ending,
    strings_equal,
)
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, NO_OBJECT, Kind, RootKind
from leakscan.heap.v8_names import WEAK_MAP_VALUE

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matched:
    """References (and rows of the root table) that a pattern stands for; `reach` is how far it got.

    When nothing matched, `stuck_at` are the objects where the step number `reach` found no reference.
    """

    refs: U32
    roots: U32
    reach: int = 0
    stuck_at: U32 | None = None

    def __len__(self) -> int:
        return len(self.refs) + len(self.roots)


_TRIE_NODES: Final = "hamt"
"""How the names of the types begin in whose objects a context keeps its variables."""
ENTRIES: Final = (
    Kind.KEY_STR,
    Kind.KEY_INT,
    Kind.KEY_OTHER,
    Kind.KEY,
    Kind.INDEX,
    Kind.MEMBER,
    Kind.ELEMENT,
)
_ATTRIBUTES: Final = (Kind.ATTRIBUTE, Kind.SLOT, Kind.AWAIT, Kind.ELEMENT)
FIELDS: Final = {"__dict__": Kind.DICT, "__class__": Kind.TYPE}
"""Names that mean what an object has of its own, before any attribute that is called so."""
_THREAD_LOCAL_TYPES: Final = ("_thread._localdummy", "_thread._local")


def match_pattern(graph: HeapGraph, pattern: Pattern) -> Matched:
    """The references that the pattern stands for; every reading of a dotted name is followed."""
    best = Matched(_none(), _none())
    refs, roots = [best.refs], [best.roots]
    for name, steps in readings(pattern):
        found = _match_reading(graph, pattern.head, name, steps)
        refs.append(found.refs)
        roots.append(found.roots)
        if found.stuck_at is not None and len(found.stuck_at) and found.reach >= best.reach:
            best = found
    return Matched(
        np.unique(np.concatenate(refs)), np.unique(np.concatenate(roots)), best.reach, best.stuck_at
    )


def readings(pattern: Pattern) -> list[tuple[str, tuple[PatternStep, ...]]]:
    """Ways to split a dotted name into what it names and the attributes that follow."""
    if pattern.head not in (HeadKind.DOTTED, HeadKind.MODULE):
        return [(pattern.name, pattern.steps)]
    parts = pattern.name.split(".")
    return [
        (
            ".".join(parts[:length]),
            (*(PatternStep(StepKind.NAME, part, f".{part}") for part in parts[length:]), *pattern.steps),
        )
        for length in range(1, len(parts) + 1)
    ]


def _match_reading(graph: HeapGraph, head: HeadKind, name: str, steps: tuple[PatternStep, ...]) -> Matched:
    if head is HeadKind.NODE:
        return _match_node(graph, name, steps)
    if head is HeadKind.ROOT:
        labels = strings_equal(graph.strings, name)
        roots = np.flatnonzero(np.isin(graph.roots.labels, labels)).astype(np.uint32)
        if not steps:
            return Matched(_none(), roots)
        objects = np.unique(graph.roots.targets[roots])
    elif head in (HeadKind.CONTEXT, HeadKind.THREAD_LOCAL):
        refs = _context_refs(graph, name) if head is HeadKind.CONTEXT else _thread_local_refs(graph, name)
        if not steps:
            return Matched(refs, _none())
        objects = np.unique(graph.ref_targets[refs])
    else:
        objects = _named_objects(graph, head, name)
    return _match_steps(graph, objects, steps)


def _match_node(graph: HeapGraph, name: str, steps: tuple[PatternStep, ...]) -> Matched:
    """Steps from what Node keeps in lists of its own: `Node's timers[*]`, `require.cache[...]`."""
    if name == REQUIRED:
        return _match_steps(graph, required(graph), steps)
    if [step.kind for step in steps[:1]] != [StepKind.ANY]:
        return Matched(_none(), _none())
    rows = _none() if name in LISTED else rows_called(graph, name)
    listed = refs_in_list(graph, name) if name in LISTED else _none()
    if name == ES_MODULES:
        listed = refs_to_modules(graph)
    if len(steps) == 1:
        return Matched(listed, rows)
    objects = np.unique(np.concatenate((graph.ref_targets[listed], graph.roots.targets[rows])))
    return _match_steps(graph, objects, steps[1:])


def _match_steps(graph: HeapGraph, objects: U32, steps: tuple[PatternStep, ...]) -> Matched:
    refs = _none()
    for number, step in enumerate(steps):
        if number:
            objects = np.unique(graph.ref_targets[refs])
        refs = _follow(graph, objects, step)
        if not len(refs):
            return Matched(_none(), _none(), number, objects)
    return Matched(refs, _modules_listed(graph, objects, refs))


def _modules_listed(graph: HeapGraph, objects: U32, refs: U32) -> U32:
    """Rows of the modules that leave `sys.modules` with these references: being there makes them roots."""
    table = modules_table(graph)
    if table is None or table not in objects:
        return _none()
    leaving = graph.ref_targets[refs]
    is_module = graph.roots.kinds == RootKind.MODULE
    return np.flatnonzero(is_module & np.isin(graph.roots.targets, leaving)).astype(np.uint32)


def modules_table(graph: HeapGraph) -> int | None:
    """The dict of `sys.modules`, None where it is not in the snapshot."""
    if graph.runtime != "cpython":
        return None
    found = _attribute_refs(graph, refs_from(graph, _named_objects(graph, HeadKind.MODULE, "sys")), "modules")
    targets = graph.ref_targets[found]
    return int(targets[0]) if len(targets) else None


def _named_objects(graph: HeapGraph, head: HeadKind, name: str) -> U32:
    found = []
    if head is not HeadKind.TYPE:
        labels = strings_equal(graph.strings, name)
        is_module = (graph.roots.kinds == RootKind.MODULE) & np.isin(graph.roots.labels, labels)
        found.append(graph.roots.targets[is_module])
        if head is HeadKind.MODULE:
            return np.unique(found[0])
    suffix = f".{name}"
    rows = [row for row, full in enumerate(graph.type_names) if full == name or full.endswith(suffix)]
    if rows:
        found.append(np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32))
        classes = graph.types.objects[rows]
        found.append(classes[classes != NO_OBJECT])
    texts = np.concatenate((strings_equal(graph.strings, name), strings_ending(graph.strings, suffix)))
    found.append(objects_named(graph, texts))
    if head is HeadKind.DOTTED and "." in name:
        found.append(functions_of_module(graph, name))
    return np.unique(np.concatenate(found))


def in_tries(graph: HeapGraph, refs: U32) -> U32:
    """Those of these references that are entries of a context: a variable, or its value."""
    kinds = kinds_of(graph, refs)
    refs = refs[(kinds == Kind.CONTEXT) | (kinds == Kind.KEY)]
    inside: U32 = refs[are_tries(graph, sources_of(graph, refs))]
    return inside


def are_tries(graph: HeapGraph, objects: U32) -> Bools:
    """Which of these a context keeps its variables in."""
    is_node = np.array([name.startswith(_TRIE_NODES) for name in graph.type_names], np.bool_)
    return np.asarray(is_node[graph.type_ids[objects]])


def is_in_trie(graph: HeapGraph, ref: int) -> bool:
    """The same of what one reference begins at."""
    return graph.type_name(source_of(graph, ref)).startswith(_TRIE_NODES)


def _context_refs(graph: HeapGraph, name: str) -> U32:
    """The values of these variables, and where contexts keep the variables."""
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    values = np.flatnonzero(kinds == Kind.CONTEXT).astype(np.uint32)
    kept = in_tries(graph, np.flatnonzero(kinds == Kind.KEY).astype(np.uint32))
    return _called(graph, np.union1d(values, kept), (Kind.CONTEXT, Kind.KEY), name)


def _thread_local_refs(graph: HeapGraph, name: str) -> U32:
    rows = [row for row, full in enumerate(graph.type_names) if full in _THREAD_LOCAL_TYPES]
    holders = np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32)
    inside = holders
    # The local leads to its namespaces through a table with a row for each thread.
    for _ in range(2):
        near = _of_kind(graph, refs_from(graph, inside), Kind.UNNAMED, Kind.KEY_OTHER, Kind.SLOT, Kind.DICT)
        inside = np.unique(np.concatenate((inside, graph.ref_targets[near])))
    return _labelled(graph, refs_from(graph, inside), (Kind.KEY_STR, Kind.ATTRIBUTE), name)


def _follow(graph: HeapGraph, objects: U32, step: PatternStep) -> U32:
    """References of these objects that the step stands for."""
    is_v8 = graph.runtime == "v8"
    refs = refs_from(graph, with_folded(graph, objects) if is_v8 else objects)
    match step.kind:
        case StepKind.NAME:
            return _attribute_refs(graph, refs, step.label)
        case StepKind.KEY:
            # A property whose name is no identifier is written like a key.
            if is_v8:
                return _labelled(graph, refs, (Kind.KEY_STR, Kind.KEY, Kind.ATTRIBUTE), step.label)
            keyed = _labelled(graph, refs, (Kind.KEY_STR, Kind.KEY), step.label)
            # What `setattr` made of no identifier is written like a key, too.
            return keyed if len(keyed) else _odd_attributes(graph, refs, step.label)
        case StepKind.NUMBER:
            of_index = refs[kinds_of(graph, refs) == Kind.INDEX]
            of_index = (
                of_index[graph.ref_labels[of_index] == int(step.label)] if int(step.label) >= 0 else _none()
            )
            return np.concatenate((of_index, _labelled(graph, refs, (Kind.KEY_INT,), step.label)))
        case StepKind.OTHER_KEY:
            return _labelled(graph, refs, (Kind.KEY_OTHER,), step.label)
        case StepKind.ANY:
            # Any object of V8 may be used as a map: its properties are entries.
            return _of_kind(graph, refs, *ENTRIES, *((Kind.ATTRIBUTE,) if is_v8 else ()))
        case StepKind.MEMBER:
            return _of_kind(graph, refs, Kind.MEMBER)
        case StepKind.CLOSURE:
            return _closure_refs(graph, refs, step.label)
        case StepKind.LOCAL:
            return _labelled(graph, refs, (Kind.LOCAL,), step.label)
        case StepKind.KEY_OBJECT:
            return _labelled(graph, refs, (Kind.KEY,), step.label)
        case StepKind.UNNAMED:
            return _of_kind(graph, refs, Kind.UNNAMED)
        case StepKind.STACK:
            stack = _of_kind(graph, refs, Kind.STACK)
            return stack[graph.ref_labels[stack] == int(step.label)] if step.label else stack
        case StepKind.ELEMENT if is_v8 and step.label != WEAK_MAP_VALUE:
            return call_refs(graph, refs, step.label)
        case StepKind.ELEMENT:
            return _labelled(graph, refs, (Kind.ELEMENT,), step.label)


def _attribute_refs(graph: HeapGraph, refs: U32, name: str) -> U32:
    if name in FIELDS:
        return _of_kind(graph, refs, FIELDS[name])
    # With all the names of a kind go the names themselves, which one name shares with others.
    in_namespace = (Kind.KEY_STR, Kind.KEY) if "*" in name else (Kind.KEY_STR,)
    direct = _called(graph, refs, _ATTRIBUTES, name)
    namespaces = np.unique(graph.ref_targets[refs[kinds_of(graph, refs) == Kind.DICT]])
    in_dict = _called(graph, refs_from(graph, namespaces), in_namespace, name)
    if not len(direct) and not len(in_dict):
        # A namespace may be recorded without the dict between.
        near = _called(graph, refs, in_namespace, name)
        return near if len(near) else _called(graph, refs, (Kind.MACHINERY,), name)
    return np.unique(np.concatenate((direct, in_dict)))


def _odd_attributes(graph: HeapGraph, refs: U32, label: str) -> U32:
    namespaces = np.unique(graph.ref_targets[refs[kinds_of(graph, refs) == Kind.DICT]])
    in_dict = _labelled(graph, refs_from(graph, namespaces), (Kind.KEY_STR,), label)
    found = np.unique(np.concatenate((_labelled(graph, refs, _ATTRIBUTES, label), in_dict)))
    return found if len(found) else _labelled(graph, refs, (Kind.MACHINERY,), label)


def _closure_refs(graph: HeapGraph, refs: U32, name: str) -> U32:
    direct = _labelled(graph, refs, (Kind.CLOSURE,), name)
    tuples = np.unique(graph.ref_targets[_labelled(graph, refs, (Kind.SLOT,), "__closure__")])
    cells = np.unique(graph.ref_targets[refs_from(graph, tuples)])
    named = [cell for cell in cells.tolist() if graph.name_of(cell) == name]
    inside = refs_from(graph, np.array(named, np.uint32))
    return np.unique(np.concatenate((direct, inside[kinds_of(graph, inside) == Kind.SLOT])))


def _labelled(graph: HeapGraph, refs: U32, kinds: tuple[Kind, ...], label: str) -> U32:
    refs = _of_kind(graph, refs, *kinds)
    labelled: U32 = refs[np.isin(graph.ref_labels[refs], strings_equal(graph.strings, label))]
    return labelled


def _called(graph: HeapGraph, refs: U32, kinds: tuple[Kind, ...], name: str) -> U32:
    """Those with this name, which may have a `*` for any text."""
    if "*" not in name:
        return _labelled(graph, refs, kinds, name)
    refs = _of_kind(graph, refs, *kinds)
    wanted = re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL)
    labels = np.unique(graph.ref_labels[refs]).tolist()
    meant = [label for label in labels if wanted.fullmatch(graph.strings[label])]
    named: U32 = refs[np.isin(graph.ref_labels[refs], meant)]
    return named


def _of_kind(graph: HeapGraph, refs: U32, *kinds: Kind) -> U32:
    chosen: U32 = refs[np.isin(kinds_of(graph, refs), kinds)]
    return chosen


def _none() -> U32:
    return np.zeros(0, np.uint32)
