"""A cache of a dict and a list of links: the links are as many as the entries that its bound allows."""

from __future__ import annotations

from drawn_leaks import told
from heaps import heap
from leakscan.analysis.results.findings import Verdict

RUNS = 20
CACHE = """
    module app -> m; m: module name=app; m -['C']-> c; c: cachetools.TTLCache bound=1000
    c -[.links]-> links; links: dict; c -[.first]-> first; first: app.Link; first -[.prev]-> first
"""


def verdicts(*, in_the_dict: range, container: str = "links") -> dict[str, Verdict]:
    rows = [CACHE.replace("first -[.prev]-> first", f"first -[.prev]-> l{RUNS}; first -[.next]-> l1")]
    for run in range(1, RUNS + 1):
        rows.append(f"l{run}: app.Link birth={run}")
        rows += [f"l{run} -[.next]-> l{run + 1}"] * (run < RUNS)
        rows += [f"{container} -['{run}']-> l{run}"] * (run in in_the_dict)
    graphs = [heap(text, meta={"births": True}) for text in (CACHE, "\n".join(rows))]
    judged = told(*graphs, runs=RUNS).judged
    return {one.slot.pattern: one.judgement.verdict for one in judged}


def test_links_between_the_entries_fill_with_the_cache():
    assert set(verdicts(in_the_dict=range(1, 21)).values()) <= {Verdict.FILLING, Verdict.BOUNDED}


def test_links_to_more_than_the_entries_are_no_part_of_it():
    assert Verdict.LEAK in verdicts(in_the_dict=range(2, 21)).values()


def test_what_keeps_the_entries_besides_is_no_link_between_them():
    kept = "m -['KEPT']-> kept; kept: list"
    rows = [CACHE, kept]
    for run in range(1, RUNS + 1):
        rows.append(f"l{run}: list birth={run}; links -['{run}']-> l{run}; kept -[{run}]-> l{run}")
    graphs = [heap(text, meta={"births": True}) for text in (f"{CACHE}\n{kept}", "\n".join(rows))]
    judged = told(*graphs, runs=RUNS).judged
    assert {one.slot.pattern: one.judgement.verdict for one in judged}["app.KEPT[*]"] is Verdict.LEAK
