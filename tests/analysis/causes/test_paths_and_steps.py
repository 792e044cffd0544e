"""Paths as they are written: which members speak, what a step is called, what is folded."""

from __future__ import annotations

import re

import pytest

from drawn_leaks import the_leak
from heaps import heap
from leakscan.analysis.causes.steps import name_of
from leakscan.analysis.diff import diff

APP = "module app -> m; m: module name=app; m -['A']-> a; a: list"


def test_a_path_reads_as_most_of_the_first_sixty_four_entries_do():
    entries = [
        f"a -[{at}]-> w{at} -[.{'one' if at < 25 else 'two'}]-> s{at}; w{at}: lib.Wrap birth={at // 10 + 1}"
        f"; s{at}: app.Session size=90 birth={at // 10 + 1}"
        for at in range(70)
    ]
    (leak,) = diff(heap(APP, meta={"births": True}), heap("\n".join((APP, *entries))), runs=7).leaks
    assert leak.path.steps[-1].reference == ".two"


def test_a_partial_of_a_partial_is_called_by_the_function_at_the_bottom():
    partials = " ".join(f"p{at} -[slot func]-> p{at + 1}; p{at}: functools.partial;" for at in range(6))
    graph = heap(f"root -> p0; {partials} p6: function name=send")
    assert name_of(graph, graph["p0"]) == "send"


@pytest.mark.parametrize(("links", "nodes"), [(4, 4), (5, 3)])
def test_more_than_three_equal_steps_are_written_as_two(links: int, nodes: int):
    chain = " ".join(f"n{at} -[.next]-> n{at + 1}; n{at}: app.Node;" for at in range(links))
    before = f"module app -> m; m: module name=app; m -['HEAD']-> n0; {chain} n{links}: list"
    path = the_leak(before, f"n{links} -[#]-> s#; s#: app.Session birth=#").path
    assert [step.type_name for step in path.steps].count("app.Node") == nodes


@pytest.mark.parametrize(("links", "is_whole"), [(4_990, True), (5_990, False)])
def test_of_a_path_of_thousands_of_steps_both_ends_are_kept_and_each_step_is_counted(
    links: int, is_whole: bool
):
    chain = " ".join(f"n{at} -[.next]-> n{at + 1}; n{at}: app.Node;" for at in range(links))
    before = f"module app -> m; m: module name=app; m -['HEAD']-> n0; {chain} n{links}: list"
    steps = the_leak(before, f"n{links} -[#]-> s#; s#: app.Session birth=#").path.steps
    texts = re.findall(r"([\d\s]+) (?:references|more like)", "\n".join(step.note for step in steps))
    counts = [int(re.sub(r"\s", "", text)) for text in texts]
    assert (len(counts), len(steps) + sum(counts)) == (1 if is_whole else 3, links + 2)
    assert is_whole or counts[0] == 97


WEAK_BY_KEY = """
module app -> m; m: module name=app; m -['SEEN']-> w; w: weakref:WeakKeyDictionary
w -[.data]-> data; data: dict
"""


@pytest.mark.parametrize(("links", "is_seen"), [(400, True), (600, False)])
def test_a_value_that_leads_to_its_own_key_in_few_steps_is_said_to_keep_it(links: int, is_seen: bool):
    chain = " ".join(f"v{at} -[0]-> v{at + 1}; v{at}: list birth=1;" for at in range(links))
    grown = f"""
    data -[key '<weakref>']-> k; k: weakref:ReferenceType birth=1; k -[~]-> s; s: lib.Key birth=1
    data -[<ReferenceType>]-> e -[.x]-> v0; e: app.Extra birth=1 size=90000; {chain}
    v{links}: list birth=1; v{links} -[0]-> s
    """
    findings = diff(heap(WEAK_BY_KEY, meta={"births": True}), heap(f"{WEAK_BY_KEY}\n{grown}"), runs=6)
    notes = {step.note for leak in (*findings.leaks, *findings.others) for step in leak.path.steps}
    assert ("weak by key, but a value keeps its own key alive" in notes) is is_seen
