"""Who can never wake is part of the answer of `diff`, of its reports, and of the gate."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

import pytest
from jsonschema import validate

from leakscan.analysis.gate import gate
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.analyse import analysed_one
from leakscan.capture import Settings, capture
from leakscan.report.html.page import html_report
from leakscan.report.share.gate import github, junit, sarif
from leakscan.report.share.json import findings_json
from leakscan.report.share.markdown import markdown_report
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.gate import gate_text
from leakscan.report.text.lines import plain

ROOT = Path(__file__).resolve().parents[2]
TODAY = datetime.date(2026, 11, 28)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory):
    """The findings of each scenario of fixtures/watchers, captured once."""
    found: dict[str, Findings] = {}

    def of(target: str) -> Findings:
        if target not in found:
            folder = tmp_path_factory.mktemp("stuck") / "leak"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PYTHONPATH", str(ROOT / "fixtures"), prepend=os.pathsep)
                capture(f"watchers:{target}", output=folder, settings=Settings(runs=6, warmup=2))
            found[target] = analysed_one([folder])
        return found[target]

    return of


def screen(found: Findings) -> str:
    return plain(findings_text(found, TextOptions()))


def test_a_leak_of_tasks_says_that_they_can_never_wake(answers):
    found = answers("visit")
    (leak,) = found.leaks
    assert (leak.stuck.count, leak.stuck.are_survivors) == (6, True)
    (group,) = [found.stuck.groups[at] for at in leak.stuck.groups]
    assert (group.name, group.count, group.waits_for) == ("watch", 8, "asyncio.locks.Event")
    assert "they can never wake: nobody else reaches the Event that they wait for" in found.headline
    assert "since run 1, 1 per run in 6 runs" in screen(found)
    assert "<dt>Stuck</dt><dd>they can never wake" in html_report(found)


def test_the_fixed_twin_says_nothing_of_it(answers):
    found = answers("visit_fixed")
    assert found.verdict is Verdict.CLEAN
    assert found.stuck is None or found.stuck.never == 0
    assert "stuck" not in screen(found) and "never wake" not in screen(found)
    assert gate([found], today=TODAY, allows_stuck=False).passes


def test_what_was_stuck_before_the_runs_is_no_leak_but_is_told(answers):
    found = answers("started")
    assert found.verdict is Verdict.CLEAN
    assert found.stuck.never == 1
    assert "1 of 1 that wait can never wake" in screen(found)
    assert "1 task pump waits for asyncio.queues.Queue" in screen(found)
    assert "What can never wake" in markdown_report(found)
    assert "1 task pump waits for" in html_report(found)


def test_the_gate_fails_for_it_only_when_asked_to(answers):
    found = answers("started")
    assert gate([found], today=TODAY).passes
    answer = gate([found], today=TODAY, allows_stuck=False)
    assert not answer.passes
    assert answer.headline == "FAIL  STUCK  1 task pump can never wake."
    assert "1 task pump waits for asyncio.queues.Queue" in gate_text(answer)


def test_every_format_of_the_gate_tells_it_at_its_line(answers):
    answer = gate([answers("started")], today=TODAY, allows_stuck=False)
    assert "watchers/__init__.py,line=" in github(answer) and "::error " in github(answer)
    assert 'failures="1"' in junit(answer)
    (result,) = json.loads(sarif(answer))["runs"][0]["results"]
    (rules,) = [run["tool"]["driver"]["rules"] for run in json.loads(sarif(answer))["runs"]]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "stuck"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("watchers/__init__.py")


def test_the_json_is_as_its_schema_says(answers):
    schema = json.loads((ROOT / "docs" / "schema" / "findings-1.json").read_text())
    document = json.loads(findings_json(answers("visit")))
    validate(document, schema)
    assert document["leaks"][0]["stuck"]["groups"] == [0]
