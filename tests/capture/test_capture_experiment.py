"""A cut of a report, as references in the process that was captured."""

from __future__ import annotations

import numpy as np

from heaps import DrawnHeap, heap
from leakscan.analysis.cuts.proof_plan import ProofPlan, plan_proof, survivors_to_count
from leakscan.analysis.graph.garbage import liveness
from leakscan.heap.kinds import BIRTH_WAITING, Kind
from leakscan.record.clearing import ROOT

DRAWING = """
    module flows -> m; m -[.default]-> flow; flow -[._runs]-> runs
    runs -['run-1']-> one -[.output]-> first; runs -['run-2']-> two -[.output]-> second
    second -[.text]-> text; root -> other
    interpreter atexit callbacks -> leaving; leaving: function
    flow: flows.Workflow addr=0x10
    runs: dict addr=0x20
    one: flows.Run addr=0x30 birth=1
    two: flows.Run addr=0x40 birth=2
    first: flows.Output addr=0x50 birth=1
    second: flows.Output addr=0x60 birth=0 flags=none
    text: str addr=0x70 birth=2
    other: str addr=0x80 birth=2
    type str flags=none
"""
CUT = ("Workflow._runs[*]",)


def plan(graph: DrawnHeap, *survivors: str, cut: tuple[str, ...] = CUT) -> ProofPlan:
    chosen = np.array([graph[name] for name in survivors], np.uint32)
    return plan_proof(graph, liveness(graph), cut=cut, survivors=chosen)


def test_a_pattern_becomes_the_references_it_stands_for():
    assert plan(heap(DRAWING)).references == (
        (0x20, Kind.KEY_STR, "run-1", 0x30),
        (0x20, Kind.KEY_STR, "run-2", 0x40),
    )


def test_survivors_without_a_birth_that_the_collector_does_not_track_cannot_be_counted():
    planned = plan(heap(DRAWING), "first", "second")
    assert (planned.survivors, planned.uncounted) == (((0x50, 1, True),), 1)


def test_what_was_born_while_leakscan_waited_is_known_by_the_collector_alone():
    graph = heap(DRAWING.replace("addr=0x40 birth=2", f"addr=0x40 birth={BIRTH_WAITING}"))
    assert plan(graph, "one", "two").survivors == ((0x30, 1, True), (0x40, 0, True))


def test_what_hangs_on_the_survivors_is_counted_too_though_no_collector_tracks_it():
    planned = plan(heap(DRAWING), "first", "one", "two")
    assert planned.others == ((0x70, 2, False),)


def test_of_a_builtin_type_only_what_the_cut_should_free_is_counted():
    graph = heap(DRAWING)
    chosen = survivors_to_count(
        graph, liveness(graph), cut=CUT, types=["str"], is_new=np.ones(graph.object_count, np.bool_)
    )
    assert graph.spell(chosen) == ["text"]


def test_a_root_of_the_interpreter_is_cleared_by_its_label():
    planned = plan(heap(DRAWING), cut=("root 'atexit callbacks'",))
    assert planned.references == ((0, ROOT, "atexit callbacks", 0),)
