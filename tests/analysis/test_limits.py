"""How much is listed: what a reader can take in, the heaviest first, and the rest counted."""

from __future__ import annotations

import pytest

from drawn_leaks import found, the_leak
from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.one_snapshot import paths_to_type
from leakscan.analysis.results.findings import RunFigures, Verdict
from leakscan.analysis.retention import causes_traced
from leakscan.analysis.top import top
from leakscan.errors import UsageError

APP = "module app -> m; m: module name=app; m -['A']-> a; a: list"


def test_twenty_types_of_a_leak_are_listed_and_the_rest_is_summed_up():
    contents = "; ".join(f"s# -[.p{at}]-> p{at}_#; p{at}_#: lib.P{at} size=10 birth=#" for at in range(25))
    leak = the_leak(APP, f"a -[#]-> s#; s#: app.Session size=900 birth=#; {contents}")
    assert (len(leak.contents), leak.contents[-1]) == (21, ("5 other types", 30, 300))


def test_ten_lines_that_allocated_a_leak_are_listed():
    leak = the_leak(APP, "a -[#]-> s#; s#: app.Session birth=# site=app.py:#:make", runs=15)
    assert len(leak.sites) == 10


def test_ten_types_that_a_cut_frees_are_listed():
    held = "; ".join(f"a -[{at}]-> p{at}; p{at}: lib.P{at}" for at in range(14))
    run = Analysed(heap(f"{APP}; {held}"))
    answer = what_if(run.graph, run.life, cut=["app.A[*]"])
    assert (len(answer.freed_types), answer.types_omitted) == (10, 4)


def test_twenty_types_of_one_snapshot_are_measured():
    drawn = heap(f"{APP}; " + "; ".join(f"a -[{at}]-> p{at}; p{at}: lib.P{at}" for at in range(30)))
    answer = top(Heap(drawn))
    assert (len(answer.types), answer.types_omitted) == (20, 12)


def test_five_types_that_a_wrong_name_may_mean_are_suggested():
    held = "; ".join(f"a -[{at}]-> p{at}; p{at}: lib.Output{at}" for at in range(9))
    with pytest.raises(UsageError) as caught:
        found(f"{APP}; {held}", "a -[1#]-> s#; s#: app.Session birth=#", type_filter="Output")
    assert caught.value.hint.count("Output") == 5


def test_forty_places_of_noise_are_listed():
    before = "module logging -> l; l: module name=logging; " + "; ".join(
        f"l -['t{at}']-> t{at}; t{at}: dict" for at in range(50)
    )
    after = "\n".join((before, *(f"t{at} -['k']-> x{at}; x{at}: lib.X{at} birth=1" for at in range(50))))
    findings = diff(heap(before, meta={"births": True}), heap(after), runs=20)
    assert (len(findings.noise), [text.split()[0] for text in findings.omitted]) == (40, ["10"])


@pytest.mark.parametrize(("collected", "verdict"), [(1199, Verdict.CLEAN), (1200, Verdict.GARBAGE)])
def test_two_hundred_objects_a_run_that_only_the_collector_frees_are_told(collected: int, verdict: Verdict):
    figures = tuple(RunFigures(run, 0, 0, 0) for run in range(7))
    graphs = (heap(APP, meta={"births": True}), heap(f"{APP}; a: list birth=0"))
    findings = diff(*graphs, runs=6, measured=Measured(per_run=figures, collected=collected))
    assert findings.verdict is verdict


@pytest.mark.parametrize(("holders", "listed"), [(8, 8), (10, 8)])
def test_eight_ways_to_a_type_are_written(holders: int, listed: int):
    text = "; ".join(f"root -> h{at} -[.x]-> x; h{at}: lib.H{at}" for at in range(holders))
    (group,) = paths_to_type(heap(f"{text}; x: app.X"), "X").groups
    assert (len(group.paths), group.paths_omitted) == (listed, holders - listed)


@pytest.mark.parametrize("walk", [1, 100_000, 200_000, 500_000, 1_000_000])
def test_the_searches_for_causes_stay_below_forty_million_steps(walk: int):
    assert causes_traced(walk) * walk <= 40_000_000


def test_at_most_four_hundred_causes_are_written_down_and_forty_however_long_it_takes():
    assert (causes_traced(1), causes_traced(1_000_000_000)) == (400, 40)


def test_five_places_that_a_cut_leaves_are_named():
    others = "; ".join(f"m -['B{at}']-> b{at}; b{at}: list; b{at} -[0]-> x" for at in range(7))
    run = Analysed(heap(f"{APP}; a -[0]-> x; x: app.X; {others}"))
    assert len(what_if(run.graph, run.life, cut=["app.A[*]"]).also_held_by) == 5


def test_what_another_place_holds_as_well_is_counted_in_thousands():
    entries = "\n".join(f"a -[{at}]-> x{at}; b -[{at}]-> x{at}" for at in range(12_000))
    run = Analysed(heap(f"{APP}; m -['B']-> b; b: list\n{entries}"))
    assert what_if(run.graph, run.life, cut=["app.A[*]"]).also_held_by == (("app.B[*]", 12_000),)
