"""Memory that grows outside of the heap, at the gate: it fails, can be budgeted, and can be known."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

import findings_samples as samples
from drawn_ledgers import STEADY, drawn
from leakscan.analysis.compare import compare
from leakscan.analysis.gate import KnownLeak, Status, baseline_text, gate, parse_baseline, parse_budget
from leakscan.analysis.headline import headline
from leakscan.analysis.ledger.ledger import memory_ledger
from leakscan.analysis.ledger.native_leak import native_leak
from leakscan.analysis.results.findings import Verdict
from leakscan.report.html.page import html_report
from leakscan.report.share.gate import github, junit, sarif
from leakscan.report.share.markdown import markdown_report
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.gate import gate_text
from leakscan.report.text.lines import plain
from leakscan.report.text.terminal import Screen

TODAY = datetime.date(2026, 11, 21)


def findings(**series):
    found = replace(
        samples.CLEAN, verdict=Verdict.NATIVE, runs=8, memory=memory_ledger(drawn(**series)), leaks=()
    )
    return replace(found, headline=headline(found))


NATIVE = findings(native=STEADY)
SIGNATURE = native_leak(NATIVE).signature


def test_the_first_line_stands_alone():
    assert NATIVE.headline == (
        "NATIVE LEAK  native blocks grow by 1.00 MB per run, 8.00 MB in 8 runs, in no Python object;"
        " the heap does not grow."
    )


def test_a_native_leak_of_node_is_said_to_be_outside_of_its_heap():
    of_node = replace(NATIVE, runtime="v8 22.12.0")
    assert "outside of V8's heap; the heap does not grow." in headline(of_node)


def test_a_native_leak_fails_the_check():
    answer = gate([NATIVE], today=TODAY)
    assert (answer.passes, answer.headline) == (False, f"FAIL  {NATIVE.headline}")


@pytest.mark.parametrize(
    ("budget", "passes"),
    [
        ("native=2MB", True),
        ("native=100kB", False),
        ("native=5", False),
        ("total=2MB", True),
        ("total=100kB", False),
    ],
)
def test_a_budget_is_in_bytes_per_run(budget, passes):
    assert gate([NATIVE], today=TODAY, budgets=[parse_budget(budget)]).passes is passes


def test_a_known_native_leak_passes():
    known = KnownLeak(SIGNATURE, "ticket", None)
    assert [item.status for item in gate([NATIVE], today=TODAY, baseline=[known]).leaks] == [Status.KNOWN]


def test_a_baseline_that_is_written_knows_it():
    rows = parse_baseline(baseline_text([NATIVE], expires=TODAY), "known.toml")
    assert [row.signature for row in rows] == [SIGNATURE]


def test_the_signature_is_that_of_the_kinds_that_grow_and_of_nothing_else():
    faster = findings(native=[3 * size for size in STEADY])
    other = findings(mappings=STEADY)
    assert native_leak(faster).signature == SIGNATURE != native_leak(other).signature


@pytest.mark.parametrize("write", [gate_text, github, junit, sarif])
def test_every_format_says_it(write):
    assert "native blocks grow by 1.00 MB per run" in write(gate([NATIVE], today=TODAY))


def test_a_heap_without_native_growth_has_no_such_leak():
    assert native_leak(samples.CLEAN) is None


@pytest.mark.parametrize("write", [html_report, markdown_report])
def test_the_reports_have_the_table_of_the_ledger(write):
    text = write(NATIVE)
    assert "native blocks" in text
    assert "RSS and swap" in text


def test_the_table_on_the_screen_adds_up_and_fits():
    lines = plain(findings_text(NATIVE, TextOptions(screen=Screen(80)))).splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if line.startswith("native blocks")]
    assert row.split()[-3:] == ["MB", "goes", "on"]
    (total,) = [line for line in lines if line.startswith("RSS and swap")]
    assert "+8.00 MB" in total


@pytest.mark.parametrize(
    ("before", "after", "headline"),
    [
        (NATIVE, replace(samples.CLEAN, runs=8), "PASS  fixed: 1 gone"),
        (replace(samples.CLEAN, runs=8), NATIVE, "FAIL  worse: 1 new"),
        (NATIVE, NATIVE, "FAIL  not fixed: 1 same"),
    ],
)
def test_a_fix_is_compared_like_any_other(before, after, headline):
    assert compare(before, after).headline == headline
