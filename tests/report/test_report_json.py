from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import findings_samples as samples
from leakscan.report.share.json import findings_json
from leakscan.report.share.schema import documents, schema_text

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("kind", documents())
def test_each_schema_is_a_valid_schema(kind: str):
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(kind)))


@pytest.mark.parametrize("name", samples.ALL)
def test_findings_fit_their_schema(name: str):
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("findings")))
    found = json.loads(findings_json(samples.ALL[name]))
    assert [error.message for error in validator.iter_errors(found)] == []


def test_the_schema_refuses_a_field_it_does_not_know():
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("findings")))
    found = json.loads(findings_json(samples.CLEAN)) | {"surprise": 1}
    assert [error.validator for error in validator.iter_errors(found)] == ["additionalProperties"]


def test_the_same_findings_give_the_same_bytes():
    assert findings_json(samples.SEVERAL) == findings_json(samples.SEVERAL)


def test_names_from_a_snapshot_are_inert_in_json():
    assert findings_json(samples.HOSTILE_NAMES).isascii()


def test_names_from_a_snapshot_are_whole_in_json():
    assert json.loads(findings_json(samples.HOSTILE_NAMES))["target"] == samples.HOSTILE
