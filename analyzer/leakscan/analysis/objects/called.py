"""References by what a screen calls them: what holds, and how it reads, also where no pattern says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import numpy as np

from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.objects.around import leads_inside
from leakscan.analysis.objects.find import find_objects, pasted
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.known_as import CLASS
from leakscan.analysis.objects.labelled import find_known, labelled
from leakscan.errors import UsageError
from leakscan.heap.graph import U32
from leakscan.heap.kinds import KIND_MASK, Kind, RootKind

_BREAK: Final = re.compile(r"(?=[.\[{<]| (?! ))")
"""Where what holds may end and the reference begin."""
_DEEPEST: Final = 4
_MOST_REFERENCES: Final = 20_000
_NOBODY: Final = np.zeros(0, np.uint32)


def find_meant(heap: Heap, text: str) -> U32:
    """As `find_known`; also what a reference leads to that is only called so. UsageError: nothing."""
    try:
        return find_known(heap, text)
    except UsageError:
        refs = called(heap, pasted(text))
        if not len(refs):
            raise
        return np.unique(heap.graph.ref_targets[refs])


def find_references(heap: Heap, text: str) -> tuple[U32, U32]:
    """References, and rows of the root table, that `text` means; of an object or a type all that keep it.

    UsageError: it means nothing.
    """
    asked = pasted(text)
    try:
        pattern = parse_pattern(asked)
    except UsageError as error:
        unreadable: UsageError | None = error
    else:
        unreadable = None
        matched = match_pattern(heap.graph, pattern)
        if len(matched):
            return matched.refs, matched.roots
    refs = called(heap, asked)
    if len(refs):
        return refs, _NOBODY
    try:
        return _that_keep(heap, find_known(heap, text))
    except UsageError as error:
        raise unreadable or error from None


def called(heap: Heap, label: str) -> U32:
    """References that read as the end of `label`, of what is known as its beginning; the longest first."""
    return _called(heap, label, {})


def _called(heap: Heap, label: str, known: dict[str, U32]) -> U32:
    for at in sorted({found.start() for found in _BREAK.finditer(label)} - {0}, reverse=True):
        holder, reading = label[:at], label[at:].strip()
        objects = _plainly(heap, holder, known)
        found = [ref for ref, text in _readings(heap, objects) if text.lstrip(".") == reading.lstrip(".")]
        if found:
            return np.unique(np.array(found, np.uint32))
    return _NOBODY


def _plainly(heap: Heap, label: str, known: dict[str, U32]) -> U32:
    """By a pattern, and by its label: an object may be known by less than the pattern leads to.

    What neither knows is what a reference leads to that is called so; each beginning is asked once.
    """
    if label not in known:
        found = [labelled(heap, label)]
        # A class stands before its slots without a word.
        for text in (label, CLASS + label):
            with suppress(UsageError):
                found.append(find_objects(heap.graph, text))
        known[label] = np.unique(np.concatenate(found))
        if not len(known[label]):
            known[label] = np.unique(heap.graph.ref_targets[_called(heap, label, known)])
    return known[label]


def _readings(heap: Heap, objects: U32) -> Iterator[tuple[int, str]]:
    """References of these objects and how they read; one in a namespace or closure reads as of its owner."""
    graph, left = heap.graph, _MOST_REFERENCES
    waiting: list[list[int]] = [[ref] for obj in objects.tolist() for ref in graph.references(obj)]
    while waiting and left:
        refs = waiting.pop()
        left -= 1
        yield refs[-1], "".join(part.text for part in read_segments(graph, heap.reach.modules, refs))
        target = int(graph.ref_targets[refs[-1]])
        is_folded = leads_inside(heap, refs[-1]) or graph.type_name(target) == "cell"
        if is_folded and len(refs) < _DEEPEST:
            waiting += [[*refs, ref] for ref in graph.references(target)]


def _that_keep(heap: Heap, objects: U32) -> tuple[U32, U32]:
    """What leads to these objects from others, weak references aside, and the roots that are they."""
    graph, rows = heap.graph, heap.incoming
    is_one = np.zeros(graph.object_count, np.bool_)
    is_one[objects] = True
    spans = [np.arange(int(rows.first[obj]), int(rows.first[obj + 1])) for obj in objects.tolist()]
    at = np.concatenate(spans) if spans else np.zeros(0, np.int64)
    refs = rows.refs[at]
    kinds = graph.ref_kinds[refs] & np.uint8(KIND_MASK)
    kept = ~is_one[rows.sources[at]] & (heap.life.weak[refs] == 0) & (kinds != Kind.MACHINERY)
    is_root = is_one[graph.roots.targets] & (graph.roots.kinds != RootKind.STATIC_TYPE)
    return np.asarray(refs[kept], np.uint32), np.flatnonzero(is_root).astype(np.uint32)
