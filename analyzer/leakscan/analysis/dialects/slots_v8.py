"""How a slot of a V8 heap is written: chains of the engine's and of Node's own are what the source says once.

`signal.addEventListener('abort')` is a Map, a list of Listeners, and a callback;
what `setTimeout` starts is in a table of lists, each of them a ring.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import refs_from, source_of, strings_equal
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind
from leakscan.heap.v8_names import INTERNAL_SCRIPTS

Bools = npt.NDArray[np.bool_]

LISTED: Final = {
    "Node's timers": ("Timeout", "TimersList"),
    "Node's immediates": ("Immediate", "ImmediateList"),
}
"""What Node lists by itself: its entries, and the list that links them."""
PROMISE_STATES: Final = ("[[PromiseResult]]", "[[PromiseReactions]]")
REACTION: Final = "system / PromiseReaction"
CELL: Final = "system / WeakCell"
CELLS: Final = "[[Cells]]"
REGISTERED: Final = ".register()"
"""A FinalizationRegistry leads to the last registration, and each to its neighbours and its held value."""
INNARDS: Final = frozenset(
    (
        *("Listener", "TimersList", "ImmediateList", "PriorityQueue", "FixedQueue", "FixedCircularBuffer"),
        *("SafeMap", "SafeSet", "AsyncContextFrame", "PrimordialsSafeMap", "Timeout", "Immediate"),
    )
)
"""Classes of Node's own scripts (18 to 26) of which no program is made: known from what holds them."""

_FUNCTIONS: Final = frozenset(("Function", "async function"))
_LINKS: Final = ("_idleNext", "_idlePrev", "head", "tail")
_ON: Final = re.compile(r"\._events(?:\.|\[')([^.\[\]' ]+)(?:'\])?(?:\[(?:\*|\d+)\])?")
_EVENT_TARGET: Final = re.compile(
    r"\[Symbol\(kEvents\)\]\.get\(('(?:[^'\\]|\\.)*')\)(?:\.(?:next|previous|callback|listener)\b)*"
)
ES_MODULES: Final = "Node's ES modules"
"""What was imported: Node keeps a module, and what its specifier was resolved to, for as long as it lives."""
MODULE_CACHES: Final = ("LoadCache", "ResolveCache", "ModuleMap")
"""Maps of Node's loader (`lib/internal/modules/esm/module_map.js`, 18 to 26)."""
REQUIRED: Final = "require.cache"
"""What was required: CommonJS modules by their files. Node's `Module._cache` is the same object."""
_IN_CACHE: Final = re.compile(
    r"^.*\.#?(?:load|resolve)Cache\.get\((?:'(?:[^'\\]|\\.)*'|\*)\)(?:\[(?:'(?:[^'\\]|\\.)*'|\*)\])?"
    r"(?:\.(?:javascript|json|wasm)\b)?"
)
_TIMERS: Final = re.compile(
    r"^.* closure '(?:timerListMap|timerListQueue|priorityQueue)'(?:\.#?\w*heap\w*)?(?:\[(?:\d+|\*)\])?"
    r"(?:\._idle(?:Next|Prev))*"
)
_IMMEDIATES: Final = re.compile(
    r"^.* closure '(?:outstandingQueue|immediateQueue)'(?:\.(?:head|tail|_idleNext|_idlePrev))*"
)


def as_written(text: str) -> str:
    """A pattern, or what it begins with, as the source says it."""
    text = _ON.sub(r".on('\1')", text)
    text = _EVENT_TARGET.sub(r".addEventListener(\1)", text)
    text = _IN_CACHE.sub(f"{ES_MODULES}[*]", text) if "Cache.get(" in text else text
    text = _TIMERS.sub("Node's timers[*]", text)
    return _IMMEDIATES.sub("Node's immediates[*]", text)


def list_of_node(graph: HeapGraph, ref: int) -> str:
    """The list of Node's own that this reference is a link of, whatever else leads there; "" for others."""
    if graph.kind(ref) != Kind.ATTRIBUTE or graph.label(ref) not in _LINKS:
        return ""
    target = graph.type_name(int(graph.ref_targets[ref]))
    return next((name for name, types in LISTED.items() if target in types), "")


def is_link(graph: HeapGraph, ref: int) -> bool:
    """Whether this reference leads from one link of a chain to the next one: an object of the same type."""
    if graph.kind(ref) not in (Kind.ATTRIBUTE, Kind.SLOT):
        return False
    target = int(graph.ref_targets[ref])
    return bool(graph.type_ids[source_of(graph, ref)] == graph.type_ids[target])


def leads_to_reaction(graph: HeapGraph, ref: int) -> bool:
    """Whether what waits for a promise is kept by this reference: its result is none of it."""
    return graph.type_name(int(graph.ref_targets[ref])) == REACTION


def is_hash_table(graph: HeapGraph, obj: int) -> bool:
    """Whether V8 keeps the properties of this object as a hash table: then they are entries."""
    start, end = int(graph.first_ref[obj]), int(graph.first_ref[obj + 1])
    return bool(((graph.ref_kinds[start:end] & np.uint8(KIND_MASK)) == Kind.KEY).any())


def spelled_alike(graph: HeapGraph, refs: U32, sources: U32, is_asked: Bools) -> Bools:
    """Properties of one object that are spelled alike: their keys are symbols that were made at run time."""
    found = np.zeros(len(refs), np.bool_)
    named = np.flatnonzero(is_asked & ((graph.ref_kinds[refs] & np.uint8(KIND_MASK)) == Kind.ATTRIBUTE))
    keys = (sources[named].astype(np.uint64) << np.uint64(32)) | graph.ref_labels[refs[named]]
    _, of_key, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found[named] = counts[of_key] > 1
    return found


def refs_to_modules(graph: HeapGraph) -> U32:
    """References by which the loader keeps modules: entries of its caches, and those of their tables."""
    rows = [row for row, name in enumerate(graph.type_names) if name in MODULE_CACHES]
    caches = np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32)
    found = entries = _entries(graph, caches, (Kind.KEY_STR,))
    tables = np.unique(graph.ref_targets[entries])
    found = np.union1d(found, _entries(graph, tables, (Kind.ATTRIBUTE, Kind.KEY_STR)))
    return found.astype(np.uint32)


def required(graph: HeapGraph) -> U32:
    """The object that has the CommonJS modules that were required, by their files."""
    labels = strings_equal(graph.strings, "_cache")
    refs = np.flatnonzero(np.isin(graph.ref_labels, labels)).astype(np.uint32)
    found = [int(graph.ref_targets[ref]) for ref in refs.tolist() if _is_of_loader(graph, ref)]
    return np.unique(np.array(found, np.uint32))


def _is_of_loader(graph: HeapGraph, ref: int) -> bool:
    source = source_of(graph, ref)
    if graph.kind(ref) != Kind.ATTRIBUTE or graph.name_of(source) != "Module":
        return False
    place = graph.location_of(source)
    return place is not None and place.file.startswith(INTERNAL_SCRIPTS)


def is_program_function(graph: HeapGraph, obj: int) -> bool:
    """A function of the program with a name, or one of its async functions and generators under way."""
    if graph.type_name(obj) not in _FUNCTIONS or not graph.name_of(obj):
        return False
    place = graph.location_of(obj)
    # What is under way has no place of its own.
    if place is None:
        return graph.type_name(obj) != "Function"
    return not place.file.startswith(INTERNAL_SCRIPTS) and "/node_modules/" not in place.file


def _entries(graph: HeapGraph, objects: U32, kinds: tuple[Kind, ...]) -> U32:
    refs = refs_from(graph, objects)
    inside: U32 = refs[np.isin(graph.ref_kinds[refs] & np.uint8(KIND_MASK), kinds)]
    return inside


def refs_in_list(graph: HeapGraph, name: str) -> U32:
    """References by which Node lists its timers, or its immediates."""
    rows = [row for row, type_name in enumerate(graph.type_names) if type_name in LISTED[name]]
    into = np.flatnonzero(np.isin(graph.type_ids[graph.ref_targets], rows)).astype(np.uint32)
    into = into[(graph.ref_kinds[into] & np.uint8(KIND_MASK)) == Kind.ATTRIBUTE]
    wanted = [label for label in np.unique(graph.ref_labels[into]).tolist() if graph.strings[label] in _LINKS]
    linking: U32 = into[np.isin(graph.ref_labels[into], wanted)]
    return linking
