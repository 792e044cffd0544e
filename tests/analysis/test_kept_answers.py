"""Answers that a capsule keeps are those that the heap gave."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from findings_samples import TWO_HOLDERS
from heaps import heap
from leakscan.analysis.capsule import Capsule
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.one_snapshot import paths_to_type
from leakscan.errors import UsageError

HEAP = heap("module app -> m; m: module name=app; m -['A']-> a; m -['B']-> b; a, b -[0]-> x; x: app.X")
PATTERNS = ("app.A", "app.B")


def answer(*cut: str):
    run = Analysed(HEAP)
    return what_if(run.graph, run.life, cut=list(cut))


CAPSULE = Capsule(
    findings=(TWO_HOLDERS,),
    unreadable=(),
    patterns=PATTERNS,
    answers=(None, answer("app.A"), answer("app.B"), answer("app.A", "app.B")),
    paths=(paths_to_type(HEAP, "app.X"),),
    cut_out=(),
)


@pytest.mark.parametrize("cut", [("app.A",), ("app.B",), ("app.A", "app.B")])
def test_what_a_cut_frees_is_what_it_freed_in_the_heap(cut: tuple[str, ...]):
    assert CAPSULE.whatif(cut) == answer(*cut)


def test_effects_come_in_the_order_that_was_asked_and_say_which_was_made_weak():
    effects = CAPSULE.whatif(["app.B"], weak=["app.A"]).effects
    assert [(effect.pattern, effect.is_weak) for effect in effects] == [("app.B", False), ("app.A", True)]


@pytest.mark.parametrize("cut", [["app.C"], []])
def test_what_was_not_kept_names_what_was(cut: list[str]):
    with pytest.raises(UsageError) as caught:
        CAPSULE.whatif(cut)
    assert "app.A, app.B" in caught.value.hint


@pytest.mark.parametrize("name", ["app.X", "X"])
def test_paths_to_a_type_are_found_by_its_full_and_its_last_name(name: str):
    asked = CAPSULE.paths[0].asked
    found = CAPSULE.paths_of(name if asked == "app.X" else asked)
    assert found is CAPSULE.paths[0]


def test_paths_to_another_type_need_the_heap():
    with pytest.raises(UsageError, match="the heap is needed"):
        CAPSULE.paths_of("app.Y")
