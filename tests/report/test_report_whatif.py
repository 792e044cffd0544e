from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.graph.garbage import liveness
from leakscan.report.text.lines import plain
from leakscan.report.text.terminal import Screen
from leakscan.report.text.whatif import whatif_text

TWO_HOLDERS = """
    module app -> m; m -[.__dict__]-> ns
    ns -['flow']-> flow; ns -['bus']-> bus
    flow -[.runs]-> runs; bus -[.seen]-> seen
    runs -['1']-> out; seen -[0]-> out; out -[.text]-> text
    m: module name=app
    flow: app.Flow birth=0
    bus: app.Bus birth=0
    runs: dict; seen: list
    out: app.Out size=100 birth=1
    text: str size=50 birth=1
"""


def answer_text(*cut: str, drawing: str = TWO_HOLDERS, weak: tuple[str, ...] = ()) -> str:
    graph = heap(drawing)
    is_new = find_survivors(graph, graph).is_new
    return plain(whatif_text(what_if(graph, liveness(graph), cut=cut, weak=weak, is_new=is_new), Screen()))


def test_a_cut_that_leaves_another_holder_says_that_nothing_goes():
    assert answer_text("Flow.runs[*]").splitlines()[0] == (
        "FREES NO SURVIVOR  all 2 stay; nothing else is freed."
    )


def test_cutting_both_holders_shows_each_alone_and_all_together():
    assert answer_text("Flow.runs[*]", "Bus.seen[*]") == (
        "FREES ALL  2 of 2 survivors: 2 objects, 150 B.\n"
        "\n"
        "freed by each alone\n"
        "cut           references  survivors  objects  bytes\n"
        "Flow.runs[*]           1          0        0    0 B\n"
        "Bus.seen[*]            1          0        0    0 B\n"
        "all together                      2        2  150 B\n"
        "\n"
        "freed  objects  bytes\n"
        "Out          1  100 B\n"
        "str          1   50 B\n"
    )


def test_what_is_made_weak_is_marked():
    assert "Bus.seen[*] (weak)" in answer_text("Flow.runs[*]", weak=("Bus.seen[*]",))


@pytest.mark.parametrize("width", [80, 100])
def test_long_patterns_fit_the_screen(width: int):
    name = "a_module_attribute_with_a_name_that_is_much_longer_than_anyone_would_want_to_read_or_write"
    drawing = f"module app -> m; m -[.{name}]-> xs; xs -[0]-> x; x: app.X birth=1; m: module name=app"
    graph = heap(drawing)
    is_new = find_survivors(graph, graph).is_new
    answer = what_if(graph, liveness(graph), cut=(f"app.{name}[*]",), is_new=is_new)
    text = plain(whatif_text(answer, Screen(width)))
    assert [row for row in text.splitlines() if len(row) > width] == []


def test_holders_of_which_not_all_were_looked_at_hold_at_least_so_many():
    many = "\n".join(f"seen -[{at}]-> out" for at in range(1, 20_001))
    two = "runs -['2']-> out2; out2: app.Out size=100 birth=1; log: list; ns -['log']-> log; log -[0]-> out2"
    assert "  Bus.seen[*]  (1)" in answer_text("Flow.runs[*]", drawing=f"{TWO_HOLDERS}\n{two}")
    assert "  Bus.seen[*]  (at least 1)" in answer_text(
        "Flow.runs[*]", drawing=f"{TWO_HOLDERS}\n{two}\n{many}"
    )


def test_what_stays_behind_a_cut_that_frees_some_is_told_with_its_slot():
    drawn = TWO_HOLDERS + "\n    runs -['2']-> gone; gone: app.Out size=7 birth=1"
    rows = answer_text("Flow.runs[*]", drawing=drawn).splitlines()
    assert rows[0] == "FREES SOME  1 of 3 survivors: 1 object, 7 B; 2 are still held."
    assert rows[2:4] == ["      1 survivor behind it stays, also held by", "        Bus.seen[*]"]
