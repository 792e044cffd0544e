"""Patterns close to one that matched nothing: what the snapshot holds in its place."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import Final

import numpy as np

from leakscan.analysis.dialects.pattern_text import HEAD, Pattern, parse_pattern, quoted
from leakscan.analysis.dialects.patterns import ENTRIES, Matched, match_pattern, readings
from leakscan.analysis.graph.refs import kinds_of, refs_from
from leakscan.errors import UsageError
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind, RootKind

_SUGGESTIONS: Final = 5
_CONSIDERED: Final = 20


def nearest_patterns(
    graph: HeapGraph, pattern: Pattern, matched: Matched, known: tuple[str, ...]
) -> list[str]:
    """Patterns close to one that matched nothing: known cuts, and what the snapshot holds in its place."""
    if matched.stuck_at is not None and len(matched.stuck_at):
        candidates = _other_steps(graph, pattern, matched.reach, matched.stuck_at)
    else:
        candidates = _other_heads(graph, pattern)
    distinct = list(dict.fromkeys((*known, *candidates)))
    close = get_close_matches(pattern.text, distinct, n=_CONSIDERED, cutoff=0.5)
    working = [text for text in close if _is_there(graph, text)]
    return working[:_SUGGESTIONS] or list(known[:_SUGGESTIONS])


def _is_there(graph: HeapGraph, text: str) -> bool:
    # A step that stands in a quoted name, too, is replaced at the wrong place.
    with suppress(UsageError):
        return len(match_pattern(graph, parse_pattern(text))) > 0
    return False


def _other_steps(graph: HeapGraph, pattern: Pattern, reach: int, objects: U32) -> list[str]:
    """The pattern with its wrong step replaced by what is there, with and without what follows it."""
    found = []
    for _, steps in readings(pattern):
        if reach < len(steps) and steps[reach].text in pattern.text:
            before, _, after = pattern.text.rpartition(steps[reach].text)
            for text in _labels_at(graph, objects):
                found += [before + text + after, before + text]
    return found


def _other_heads(graph: HeapGraph, pattern: Pattern) -> list[str]:
    """The pattern with the beginning of its name replaced by names of classes and modules like it."""
    modules = graph.roots.labels[graph.roots.kinds == RootKind.MODULE].tolist()
    names = {*graph.type_names, *(full.rpartition(".")[2] for full in graph.type_names)}
    names |= {graph.strings[label] for label in modules}
    # A name that is no dotted name could not be written here.
    pool = sorted(name for name in names if HEAD.fullmatch(name))
    parts = pattern.name.split(".")
    steps = "".join(step.text for step in pattern.steps)
    found = []
    for length in range(len(parts), 0, -1):
        rest = "".join(f".{part}" for part in parts[length:])
        near = get_close_matches(".".join(parts[:length]), pool, n=_SUGGESTIONS, cutoff=0.6)
        found += [name + rest + steps for name in near]
    return found


def _labels_at(graph: HeapGraph, objects: U32) -> list[str]:
    """How the references of these objects are written, each way once."""
    refs = refs_from(graph, objects)
    namespaces = graph.ref_targets[refs[kinds_of(graph, refs) == Kind.DICT]]
    in_dicts = refs_from(graph, np.unique(namespaces))
    texts: dict[str, None] = {}
    for group, is_attribute in ((refs, False), (in_dicts, True)):
        pairs = np.stack((kinds_of(graph, group).astype(np.uint32), graph.ref_labels[group]))
        for kind, label in np.unique(pairs, axis=1).T[:2000].tolist():
            if graph.runtime == "v8":
                texts.setdefault(_written_v8(graph, Kind(kind), label))
            else:
                texts.setdefault(_written(graph, Kind(kind), label, is_attribute=is_attribute))
    return [text for text in texts if text]


def _written_v8(graph: HeapGraph, kind: Kind, label: int) -> str:
    match kind:
        case Kind.ATTRIBUTE | Kind.SLOT:
            text = graph.strings[label]
            return f".{text}" if text.lstrip("#").isidentifier() else f"[{quoted(text)}]"
        case Kind.KEY_STR:
            return f".get({quoted(graph.strings[label])})"
        case Kind.KEY_OTHER | Kind.KEY:
            return ".get(*)"
        case Kind.MEMBER:
            return ".has(*)"
        case Kind.CLOSURE:
            return f" closure {quoted(graph.strings[label])}"
        case _:
            return "[*]" if kind in ENTRIES else ""


def _written(graph: HeapGraph, kind: Kind, label: int, *, is_attribute: bool) -> str:
    if kind in (Kind.ATTRIBUTE, Kind.SLOT, Kind.AWAIT) or (is_attribute and kind == Kind.KEY_STR):
        return f".{graph.strings[label]}"
    if kind == Kind.KEY_STR:
        return f"[{quoted(graph.strings[label])}]"
    if kind in (Kind.LOCAL, Kind.CLOSURE):
        return f" {kind.name.lower()} {quoted(graph.strings[label])}"
    return "[*]" if kind in ENTRIES else ""
