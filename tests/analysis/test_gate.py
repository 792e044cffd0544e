"""`leakscan check`: what fails, what is known, what a budget allows, and how it is written."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import findings_samples as samples
from leakscan.analysis.gate import (
    Budget,
    KnownLeak,
    Status,
    baseline_text,
    check_budgets,
    check_works,
    gate,
    parse_baseline,
    parse_budget,
)
from leakscan.analysis.results.findings import Verdict
from leakscan.errors import UsageError
from leakscan.report.share.gate import github, junit, sarif
from leakscan.report.text.gate import gate_text

TODAY = datetime.date(2026, 11, 21)
SIGNATURE = samples.TWO_HOLDERS.leaks[0].signature
TWO = [samples.TWO_HOLDERS]


def statuses(**allowed):
    return [item.status for item in gate(TWO, today=TODAY, **allowed).leaks]


def test_a_leak_that_nobody_knows_fails():
    answer = gate(TWO, today=TODAY)
    assert (answer.passes, [item.status for item in answer.leaks]) == (False, [Status.NEW])


def test_no_leak_passes():
    answer = gate([samples.CLEAN], today=TODAY)
    assert (answer.passes, answer.leaks) == (True, ())


def test_what_is_innocent_passes():
    for found in (samples.WARM_UP, samples.BOUNDED, samples.GARBAGE):
        assert gate([found], today=TODAY).passes


@pytest.mark.parametrize(
    ("expires", "status"),
    [
        (None, Status.KNOWN),
        (datetime.date(2026, 11, 21), Status.KNOWN),
        (datetime.date(2026, 11, 20), Status.EXPIRED),
    ],
)
def test_a_known_leak_passes_until_its_last_day(expires, status):
    assert statuses(baseline=[KnownLeak(SIGNATURE, "ticket", expires)]) == [status]


def test_a_row_of_the_baseline_that_is_not_found_is_warned_about():
    answer = gate([samples.CLEAN], today=TODAY, baseline=[KnownLeak("00000000", "old")])
    assert answer.warnings[0] == "the baseline's 00000000 was not found: remove it"


@pytest.mark.parametrize(
    ("budget", "status"),
    [
        ("ModelOutput=1", Status.WITHIN_BUDGET),
        ("ModelOutput=0.5", Status.NEW),
        ("Output=9", Status.NEW),
        (f"{SIGNATURE}=3MB", Status.WITHIN_BUDGET),
        (f"{SIGNATURE}=2MB", Status.NEW),
        ("total=3MB", Status.WITHIN_BUDGET),
        ("total=1kB", Status.NEW),
    ],
)
def test_a_budget_allows_so_much_per_run(budget, status):
    assert statuses(budgets=[parse_budget(budget)]) == [status]


@pytest.mark.parametrize("what", [SIGNATURE, "total"])
def test_native_blocks_of_a_leak_count_in_its_budget_and_in_the_total(what):
    heavier = replace(TWO[0], leaks=(replace(TWO[0].leaks[0], native_bytes=200_000_000),))
    answer = gate([heavier], today=TODAY, budgets=[parse_budget(f"{what}=3MB")])
    assert [item.status for item in answer.leaks] == [Status.NEW]


@pytest.mark.parametrize("text", ["", "x", "x=", "=3", "x=3 parsecs", "total=3"])
def test_what_is_no_budget_is_refused_with_a_hint(text):
    with pytest.raises(UsageError) as caught:
        parse_budget(text)
    assert caught.value.hint != ""


def test_a_written_baseline_makes_its_leaks_known():
    text = baseline_text(TWO, expires=datetime.date(2027, 1, 31))
    assert parse_baseline(text, "known.toml") == (KnownLeak(SIGNATURE, "", datetime.date(2027, 1, 31)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[known]]\n", "known.toml: [[known]] 1 needs a signature and a reason"),
        ("[[leak]]\n", "known.toml: unknown key 'leak'"),
        ("known = 3\n", "known.toml: known is no table of its own"),
        ("known = ['3f9a1c22']\n", "known.toml: known is no table of its own"),
        ("[[known]]\nsig = 1\n", "known.toml: [[known]] 1: unknown key 'sig'"),
        (
            '[[known]]\nsignature="a"\nreason="b"\nexpires="soon"\n',
            "known.toml: [[known]] 1: expires is not a day",
        ),
    ],
)
def test_a_wrong_baseline_is_one_clear_error(text, message):
    with pytest.raises(UsageError) as caught:
        parse_baseline(text, "known.toml")
    assert caught.value.message == message


def test_an_undecided_leak_passes_with_a_warning():
    answer = gate([samples.INCONCLUSIVE], today=TODAY)
    assert (answer.passes, answer.is_undecided) == (True, True)
    assert any(warning.startswith("undecided: INCONCLUSIVE") for warning in answer.warnings)


def test_the_text_names_status_signature_and_remedy():
    line = gate_text(gate(TWO, today=TODAY)).splitlines()[1]
    assert line.split()[:2] == ["new", SIGNATURE]
    assert "cut Workflow._runs[*] and Emitter.handlers['chunk'][*]" in line


def test_github_gets_an_annotation_at_the_holder():
    first = github(gate(TWO, today=TODAY)).splitlines()[0]
    assert first.startswith("::error file=fixtures/streamlab/workflow.py,line=31,title=leak ")


def test_junit_counts_what_failed():
    suite = ElementTree.fromstring(junit(gate(TWO, today=TODAY)))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert suite[0][0].tag == "failure"


def test_sarif_keeps_the_signature_as_fingerprint():
    result = json.loads(sarif(gate(TWO, today=TODAY)))["runs"][0]["results"][0]
    assert result["partialFingerprints"] == {"leakscanSignature/v1": SIGNATURE}
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 31}


@pytest.mark.parametrize("write", [gate_text, github, junit, sarif])
def test_hostile_names_are_inert(write):
    leak = replace(
        samples.TWO_HOLDERS.leaks[0],
        type_name="evil\n::error::x\x1b[31m</failure>\u202e\x00",
        name="",
        verdict=Verdict.LEAK,
    )
    text = write(gate([replace(samples.TWO_HOLDERS, leaks=(leak,))], today=TODAY))
    assert not {"\x1b", "\u202e", "\x00"} & set(text)
    assert "\n::error::x" not in text


def test_a_type_name_cannot_end_an_element_of_the_junit_file():
    leak = replace(samples.TWO_HOLDERS.leaks[0], type_name="</failure></testcase>", name="")
    text = junit(gate([replace(samples.TWO_HOLDERS, leaks=(leak,))], today=TODAY))
    assert "</failure></testcase>" in ElementTree.fromstring(text)[0][0][0].get("message")


@pytest.mark.parametrize("what", ["Session", "chat.Session", "total", "native", "3f9a1c22", "POST /chat"])
def test_budgets_of_what_may_be_there_pass(what: str):
    check_budgets([Budget(what, 1.0, None)], ["chat.Session", "dict"])


@pytest.mark.parametrize(
    ("what", "nearest"), [("Sesion", "Session"), ("chat.Sesion", "chat.Session"), ("ession", "Session")]
)
def test_a_budget_of_a_type_that_no_object_has_is_an_error_with_the_nearest(what: str, nearest: str):
    with pytest.raises(UsageError, match=f"budget {what}: no object") as raised:
        check_budgets([Budget(what, 1.0, None)], ["chat.Session", "dict"])
    assert raised.value.hint == f"nearest: {nearest}"


def test_a_budget_of_a_route_is_an_error_where_everything_is_of_node():
    route, others = (
        Budget("POST /chat", 1.0, None),
        [Budget(what, 1.0, None) for what in ("Session", "total")],
    )
    with pytest.raises(UsageError, match="budget POST /chat: Node does not say"):
        check_works([*others, route], ["v8"])
    check_works([*others, route], ["v8", "cpython 3.13"])
    check_works(others, ["v8"])


def test_one_object_that_grows_is_said_to_grow():
    grows = replace(
        TWO[0].leaks[0], type_name="str", count=1, rate=0.0, growth_bytes=9, evidence="grew", cut=None
    )
    answer = gate([replace(TWO[0], leaks=(grows,))], today=TODAY)
    assert "1 str grows: it grew, held by" in gate_text(answer)
