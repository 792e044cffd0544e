"""Nothing gets lost between the heap and the answer: births summed over causes, and growth, type by type."""

from __future__ import annotations

from collections import Counter

import numpy as np

from drawn_leaks import told
from leakscan.analysis.results.findings import Findings
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_OWN

Births = Counter[tuple[str, int]]
"""How many objects of a type were born in a run and are alive."""


def lost_in_causes(before: HeapGraph, after: HeapGraph, *, runs: int) -> tuple[Births, Births]:
    """(survivors in no cause, objects in causes that are none or counted twice): both must be empty."""
    found = told(before, after, runs=runs)
    objects, reach = found.holding.new.objects, found.holding.reach
    survivors = _births(after, np.flatnonzero(reach.survivors.is_new & reach.is_held))
    summed: Births = Counter()
    for cause in found.causes:
        summed += _births(after, objects[cause.objects])
    return survivors - summed, summed - survivors


def lost_in_growth(findings: Findings, before: HeapGraph, after: HeapGraph) -> dict[str, tuple[int, int]]:
    """(growth, births less what went) of the types where they differ."""
    wrong = {}
    then, now = _alive(before), _alive(after)
    old = _alive(after, born_before_the_runs=True)
    for row in findings.growth:
        name = row.type_name
        went = then[name] - old[name]
        born = now[name] - old[name]
        if row.delta != born - went or sum(row.births) > born:
            wrong[name] = (row.delta, born - went)
    return wrong


def _births(graph: HeapGraph, objects: np.ndarray) -> Births:
    return Counter((graph.type_name(int(obj)), int(graph.births[obj])) for obj in objects.tolist())


def _alive(graph: HeapGraph, *, born_before_the_runs: bool = False) -> Counter[str]:
    chosen = graph.births != BIRTH_OWN
    if born_before_the_runs:
        chosen &= graph.births == 0
    numbers = np.bincount(graph.type_ids[chosen], minlength=len(graph.types))
    counts: Counter[str] = Counter()
    for row, number in enumerate(numbers.tolist()):
        counts[graph.type_names[row]] += number
    return counts
