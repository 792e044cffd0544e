"""The published schemas are those of the dataclasses, and what is written fits them."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drawn_captures import draw_capture, draw_modes
from leakscan.capture.directory.run_file import read_run_file, write_run_file
from leakscan.errors import CaptureError

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs" / "schema"
TEXTS: dict[str, str] = runpy.run_path(str(ROOT / "tools" / "schemas.py"))["texts"]()


def published(name: str) -> Any:  # Any: JSON values
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TEXTS)
def test_the_published_schema_is_that_of_the_dataclasses(name: str):
    """When it fails: python tools/schemas.py, and a new version where users would break."""
    assert (SCHEMAS / name).read_text(encoding="utf-8") == TEXTS[name]


def test_no_schema_is_published_of_what_is_gone():
    assert {path.name for path in SCHEMAS.glob("*.json")} == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_each_schema_is_a_valid_schema(name: str):
    jsonschema.Draft202012Validator.check_schema(published(name))


def test_what_is_written_as_run_json_fits_its_schema_and_is_read_back(tmp_path: Path):
    run = read_run_file(draw_capture(tmp_path))
    write_run_file(tmp_path, run)
    jsonschema.validate(json.loads((tmp_path / "run.json").read_text()), published("capture-1.json"))
    assert read_run_file(tmp_path) == run


def test_run_json_above_the_modes_fits_its_schema_and_is_read_back(tmp_path: Path):
    run = read_run_file(draw_modes(tmp_path, {"consume": None}))
    write_run_file(tmp_path, run)
    jsonschema.validate(json.loads((tmp_path / "run.json").read_text()), published("capture-modes-1.json"))
    assert read_run_file(tmp_path) == run


def test_a_key_of_a_later_version_is_passed_over(tmp_path: Path):
    draw_capture(tmp_path, weather="fine")
    assert read_run_file(tmp_path).mode == "consume"


@pytest.mark.parametrize(
    ("field", "value"),
    [("warmup", "20"), ("target", None), ("snapshots", {}), ("ended", [1]), ("error", "no")],
)
def test_a_field_of_another_type_is_named(tmp_path: Path, field: str, value: object):
    draw_capture(tmp_path, **{field: value})
    with pytest.raises(CaptureError, match=rf"is damaged: run\.json\.{field} is not"):
        read_run_file(tmp_path)


def test_a_message_of_any_length_is_read_back(tmp_path: Path):
    error = dict.fromkeys(("phase", "type_name", "hint", "traceback"), "") | {"message": "x" * 300_000}
    run = read_run_file(draw_capture(tmp_path, error=error | {"run": 3}))
    assert run.error.message == "x" * 300_000
