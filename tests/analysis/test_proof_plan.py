"""What a process is asked to clear so that a cut is proved."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.cuts.proof_plan import plan_proof

CLEARING = Path(__file__).parents[2] / "analyzer/leakscan/record/clearing.py"


def test_a_root_is_asked_for_by_the_number_that_the_recorder_knows():
    run = Analysed(heap("interpreter atexit callbacks -> list -[0]-> x; list: list; x: app.X birth=1"))
    graph = run.graph
    plan = plan_proof(graph, run.life, cut=["root 'atexit callbacks'"], survivors=np.array([1], np.uint32))
    known = re.search(r"^ROOT: Final = (\d+)$", CLEARING.read_text(), re.MULTILINE)
    assert known is not None
    assert plan.references == ((0, int(known[1]), "atexit callbacks", 0),)
