"""What a screen says of the objects of a real heap leads back to them: labels, holders, patterns."""

from __future__ import annotations

import random

import numpy as np

from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.called import find_meant, find_references
from leakscan.analysis.objects.heap import Heap
from leakscan.errors import LeakscanError
from leakscan.report.text.inspect import holder_text
from walks import walk

OBJECTS = 50


def astray(heap: Heap, *, seed: int) -> list[str]:
    """What is said of some objects and does not lead back, and why."""
    graph = heap.graph
    live = np.flatnonzero((heap.dominance.idom[: graph.object_count] != NO) & heap.is_shown)
    found = []
    for obj in random.Random(seed).sample(live.tolist(), OBJECTS):
        label = heap.label(obj)
        if obj not in _objects(heap, label):
            found.append(label)
        for each in view(heap, obj, limit=3).holders:
            if obj not in _objects(heap, text := holder_text(each)):
                found.append(text)
            elif not each.is_weak and each.number not in _references(heap, text):
                found.append(f"{text} (as a reference)")
    return found


def _objects(heap: Heap, text: str) -> list[int]:
    try:
        return find_meant(heap, text).tolist()
    except LeakscanError:
        return []


def _references(heap: Heap, text: str) -> list[int]:
    try:
        return find_references(heap, text)[0].tolist()
    except LeakscanError:
        return []


def test_what_is_said_of_the_objects_of_this_very_program_leads_back_to_them():
    # Which modules are there, another test decides: one odd name of two hundred is let pass.
    said = astray(Heap(walk().heap), seed=1)
    assert len(said) <= 2, said
