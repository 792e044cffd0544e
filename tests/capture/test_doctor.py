"""`leakscan doctor`: what it finds here, and the comparison with other tools."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from leakscan.analysis.cross_check import compare_counts
from leakscan.capture.doctor import Check, State, examine, works
from leakscan.heap.reader import load
from leakscan.record.snapshot import record
from leakscan.report.text.doctor import checks_text


def command_line(*arguments: str) -> tuple[int, str, str]:
    code = "import sys; from leakscan.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", *arguments], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def checks() -> tuple[Check, ...]:
    return examine()


def test_captures_work_where_the_tests_run(checks):
    assert [check.state for check in checks if check.name == "capture"] == [State.WORKS]
    assert works(checks)


def test_what_does_not_work_says_what_it_is_for(checks):
    assert [check.name for check in checks if check.state is not State.WORKS and not check.needed_for] == []


def test_the_text_fits_80_columns(checks):
    assert max(len(line) for line in checks_text(checks).splitlines()) <= 80


def test_something_essential_that_is_missing_is_the_exit_code():
    assert not works((Check("capture", State.MISSING, "no fork", "everything", is_essential=True),))


def test_the_command_prints_the_checks_as_json():
    code, out, _ = command_line("--json")
    document = json.loads(out)
    assert (code, document["format"], document["version"]) == (0, "leakscan-doctor", 1)
    assert {"name", "state", "found", "needed_for", "hint"} < set(document["checks"][0])


PROGRAM = """
class Line:
    def __init__(self, number):
        self.tags = [number, {number: str(number)}]

KEPT = []

def once():
    KEPT.extend(Line(number) for number in range(500))
"""


def test_other_tools_count_the_same_heap_and_every_difference_has_a_reason(tmp_path):
    pytest.importorskip("objgraph")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    code, out, err = command_line("--cross-check", f"{program}:once", "--json")
    found = {each["tool"]: each for each in json.loads(out)["tools"]}
    unexplained = [each for tool in found.values() for each in tool["disagreements"] if not each["why"]]
    assert (code, unexplained) == (0, []), err
    assert abs(found["objgraph"]["objects"] - found["objgraph"]["other_objects"]) < 50
    assert not [each for each in found["objgraph"]["disagreements"] if each["type_name"].endswith("Line")]


def test_a_scenario_that_fails_is_one_clear_error(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def once():\n    raise ValueError('no')\n")
    code, out, err = command_line("--cross-check", f"{program}:once")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {program}:once could not be counted: ValueError: no")


def test_a_type_that_another_tool_counts_differently_for_no_known_reason_is_said(tmp_path):
    record(tmp_path / "x.heap")
    graph = load(tmp_path / "x.heap")
    counts = {"objgraph": {"version": "0", "types": {"made.Up": [1000, 0]}}}
    (check,) = compare_counts(graph, counts)
    assert "made.Up" in [each.type_name for each in check.unexplained]
