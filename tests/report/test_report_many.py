"""One, three, twenty and sixty leaks read well on a screen of 80 columns."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Findings
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain

RUNS = 6


def leaking(count: int) -> Findings:
    """So many lists of one registry, each with a class of its own in it after six runs."""
    before = ["module app -> m -[.REG]-> reg; m: module name=app; reg: app.Reg birth=0"]
    before += [f"reg -[.store_{i:03d}x]-> list{i}; list{i}: list birth=0" for i in range(count)]
    after = [
        f"list{i} -[{run}]-> o{i}_{run}; o{i}_{run}: app.Leak{i:03d}x size=100 birth={run + 1}"
        for i in range(count)
        for run in range(RUNS)
    ]
    drawn = "\n".join(before)
    return diff(heap(drawn), heap(drawn + "\n" + "\n".join(after)), runs=RUNS)


def head_of(count: int, *, limit: int = 10) -> list[str]:
    """The lines above the first leak's own section."""
    text = plain(findings_text(leaking(count), TextOptions(limit=limit)))
    return text.split("\nleak ")[0].rstrip("\n").split("\n")


@pytest.mark.parametrize("count", [1, 3, 20, 60])
def test_the_top_of_the_screen_fits_it(count: int):
    lines = head_of(count)
    assert len(lines) <= 28
    assert all(len(line) <= 80 for line in lines)


def test_a_few_cuts_are_all_named_at_the_top():
    text = "\n".join(head_of(3))
    assert "cut these 3:" in text and text.count("Reg.store_") >= 6


def test_many_cuts_are_counted_and_stand_with_their_leaks():
    text = " ".join(" ".join(head_of(60)).split())
    assert (
        "40 more leaks: --limit 0 shows all To free all 360 of them takes 60 cuts: each is below, with its"
        " leak; the other 50: --limit 0 lists all" in text
    )


def test_a_leak_that_is_in_the_table_only_is_counted():
    assert "      10 of them are told below: --limit 0 shows all" in head_of(20)


def test_every_leak_below_has_its_cut_beside_it():
    text = plain(findings_text(leaking(20), TextOptions(limit=20)))
    assert text.count("To free all 6, cut  Reg.store_") == 20
    assert "takes 20 cuts: each is below, with its leak\n" in text


def test_no_limit_names_every_leak_and_every_cut_at_the_top():
    lines = head_of(60, limit=0)
    assert sum("alone: 6 of 360" in line for line in lines) == 60
