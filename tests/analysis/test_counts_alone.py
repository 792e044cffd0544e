"""What counts alone say, of a capture without its last snapshot, and beside what other tools count."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.counts_alone import findings_from_counts
from leakscan.analysis.cross_check import compare_counts
from leakscan.analysis.diff import Measured


@pytest.mark.parametrize(("grown", "is_named"), [(9, False), (10, True)])
def test_what_grows_by_one_in_two_runs_is_named_in_the_first_line(grown: int, is_named: bool):
    measured = Measured(type_counts={"app.Session": (5, 5 + grown)})
    findings = findings_from_counts(
        measured, {}, runs=20, warmup=0, mode="", target="app:work", runtime="cpython 3.11"
    )
    assert ("Session" in findings.headline) is is_named


@pytest.mark.parametrize(("more", "is_explained"), [(3, True), (4, False)])
def test_a_few_objects_more_are_made_while_another_tool_counts(more: int, is_explained: bool):
    graph = heap("root -> a, b; a: app.A; b: app.A")
    (check,) = compare_counts(graph, {"objgraph": {"version": "1", "types": {"app.A": [2 + more, 0]}}})
    assert (not check.unexplained) is is_explained
