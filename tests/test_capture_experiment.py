"""A cut of a report, as references in the process that was captured."""

from __future__ import annotations

import numpy as np

from heaps import heap
from leakscan.analysis.experiment import plan_experiment
from leakscan.heap.kinds import Kind

DRAWING = """
    module flows -> m; m -[.default]-> flow; flow -[._runs]-> runs
    runs -['run-1']-> one -[.output]-> first; runs -['run-2']-> two -[.output]-> second
    flow: flows.Workflow addr=0x10
    runs: dict addr=0x20
    one: flows.Run addr=0x30
    two: flows.Run addr=0x40
    first: flows.Output addr=0x50
    second: flows.Output flags=none addr=0x60
"""


def test_a_pattern_becomes_the_references_it_stands_for():
    graph = heap(DRAWING)
    plan = plan_experiment(graph, cut=["Workflow._runs[*]"], survivors=np.zeros(0, np.uint32))
    assert plan.references == ((0x20, Kind.KEY_STR, "run-1", 0x30), (0x20, Kind.KEY_STR, "run-2", 0x40))


def test_survivors_that_the_collector_does_not_track_cannot_be_counted():
    graph = heap(DRAWING)
    survivors = np.array([graph["first"], graph["second"]], np.uint32)
    plan = plan_experiment(graph, cut=["Workflow._runs[*]"], survivors=survivors)
    assert (plan.survivors, plan.uncounted) == ((0x50,), 1)


def test_a_pattern_that_leads_from_no_object_is_said():
    plan = plan_experiment(heap(DRAWING), cut=["root 'atexit callbacks'"], survivors=np.zeros(0, np.uint32))
    assert (plan.references, plan.uncleared) == ((), ("root 'atexit callbacks'",))
