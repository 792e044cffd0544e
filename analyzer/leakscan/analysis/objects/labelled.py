"""Objects by what they are known as: a label that a screen printed, also where no pattern can say it."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from leakscan.analysis.graph.refs import objects_named, strings_equal
from leakscan.analysis.objects.find import find_objects, pasted
from leakscan.analysis.objects.heap import Heap
from leakscan.errors import UsageError
from leakscan.heap.graph import U32
from leakscan.heap.kinds import KIND_MASK, NUMBER_LABELS, Kind

_LAST: Final = re.compile(r"""['"\[.]?([^'"\[\].\s]+)(?:\]\]|['"\]])*$""")
_BRACKETED: Final = re.compile(r"\[\[[^\]]*\]\]$")
_UNNAMED: Final = "<unnamed>"
_LISTS: Final = ("Node's timers", "Node's immediates")
_MOST: Final = 20_000
"""Candidates that are asked for their label."""


def find_known(heap: Heap, text: str) -> U32:
    """As `find_objects`; what no pattern leads to is looked for by its label. UsageError: nothing."""
    try:
        return find_objects(heap.graph, text)
    except UsageError:
        label = pasted(text)
        # Lists of the runtime are told without their entries, and only those can be written.
        found = find_objects(heap.graph, f"{label}[*]") if label in _LISTS else labelled(heap, label)
        if not len(found):
            raise
        return found


def labelled(heap: Heap, label: str) -> U32:
    """The objects that are known as exactly that, or whose slot is written so."""
    candidates = _candidates(heap, label)
    if label.endswith(_UNNAMED):
        named = _unnamed_in(heap, find_known(heap, label.removesuffix(_UNNAMED)))
        if len(named):
            return named
        # What it hangs on is silent about itself, such as code of V8.
        candidates = _targets_of(heap, Kind.UNNAMED)
    chosen = [obj for obj in candidates[:_MOST].tolist() if label in (heap.label(obj), heap.slot(obj))]
    return np.array(chosen, np.uint32)


def _targets_of(heap: Heap, kind: Kind) -> U32:
    kinds = heap.graph.ref_kinds & np.uint8(KIND_MASK)
    return np.unique(heap.graph.ref_targets[kinds == kind])


def _unnamed_in(heap: Heap, objects: U32) -> U32:
    """What they hold by references without a name."""
    graph = heap.graph
    found = {
        int(graph.ref_targets[ref])
        for obj in objects.tolist()
        for ref in graph.references(obj)
        if graph.kind(ref) == Kind.UNNAMED
    }
    return np.array(sorted(found), np.uint32)


def _candidates(heap: Heap, label: str) -> U32:
    """What the last name of the label leads to, and what is called so itself."""
    graph = heap.graph
    bracketed, found = _BRACKETED.search(label), _LAST.search(label)
    if bracketed is None and found is None:
        return np.zeros(0, np.uint32)
    last = bracketed.group() if bracketed is not None else found.group(1) if found is not None else ""
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    is_number = np.isin(kinds, np.array(NUMBER_LABELS, np.uint8))
    strings = strings_equal(graph.strings, last)
    is_led = np.isin(graph.ref_labels, strings) & ~is_number
    if last.isdigit() and len(last) < 10:
        is_led |= is_number & (graph.ref_labels == int(last))
    return np.unique(np.concatenate((graph.ref_targets[is_led], objects_named(graph, strings))))
