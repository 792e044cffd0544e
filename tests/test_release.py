"""What is shipped besides the code: the GitHub Action, the metadata, and the files a wheel must hold."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import leakscan
from drawn_captures import CLEAN, draw_capture

ROOT = Path(__file__).resolve().parent.parent


def action_step() -> str:
    """The shell script of the last step of action.yml."""
    return textwrap.dedent((ROOT / "action.yml").read_text().rpartition("run: |\n")[2])


@pytest.fixture
def action(tmp_path: Path):
    """Runs that step as GitHub would; gives exit code, output, and whether a SARIF file was written."""
    program = tmp_path / "bin" / "leakscan"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m leakscan "$@"\n')
    program.chmod(0o755)

    def run(capture: Path | str, *, baseline: str = "", budget: str = "") -> tuple[int, str, bool]:
        sarif = tmp_path / "leaks.sarif"
        inputs = {
            "TARGET": str(capture),
            "RUNS": "5",
            "MODE": "consume",
            "BASELINE": baseline,
            "SARIF": str(sarif),
            "BUDGET": budget,
            "STRICT": "false",
            "PROGRAM_PYTHON": sys.executable,
            "RUNNER_TEMP": str(tmp_path),
        }
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", action_step()],
            env={**os.environ, **inputs, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout, sarif.exists()

    return run


def test_the_action_fails_when_it_leaks_and_writes_its_sarif(action, tmp_path: Path):
    code, out, has_sarif = action(draw_capture(tmp_path / "leak"))
    assert (code, "::error " in out, has_sarif) == (1, True, True)


def test_the_action_passes_when_nothing_leaks(action, tmp_path: Path):
    code, out, _ = action(draw_capture(tmp_path / "clean", after=CLEAN))
    assert (code, "::notice " in out) == (0, True)


def test_the_action_takes_several_budgets(action, tmp_path: Path):
    leaks = draw_capture(tmp_path / "leak")
    assert action(leaks, budget="total=1B Workflow=3")[0] == 1
    assert action(leaks, budget="POST /chat=1kB Workflow=3\ntotal=900GB")[0] == 0


def test_the_action_captures_a_scenario_with_the_programs_python(action, tmp_path: Path):
    (tmp_path / "scenario.py").write_text("KEPT = []\ndef once():\n    KEPT.append([])\n")
    code, out, _ = action(f"{tmp_path}/scenario.py:once")
    assert (code, "::error " in out) == (1, True)


def test_the_action_says_that_it_could_not_run(action, tmp_path: Path):
    assert action(draw_capture(tmp_path / "leak"), baseline="missing.toml")[0] == 2


def test_every_wheel_platform_of_the_plan_is_configured():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]["build"]
    assert [pattern.split("-")[1].split("_")[0] for pattern in configured] == [
        "manylinux",
        "musllinux",
        "macosx",
    ]


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["dynamic"], project["license"]) == (["version"], "MIT")
    assert leakscan.__version__ == importlib.metadata.version("leakscan-heap")


def test_every_python_that_is_claimed_is_tested_in_ci():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = {text.rpartition(" ")[2] for text in project["classifiers"] if ":: Python :: 3." in text}
    listed = (
        (ROOT / ".github" / "workflows" / "ci.yml").read_text().partition("python: [")[2].partition("]")[0]
    )
    assert {word.strip(' "') for word in listed.split(",")} == claimed


def test_ci_calls_only_targets_that_the_makefile_has():
    called = re.findall(r"- run: make ([a-z-]+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert called and set(called) <= targets


def test_every_news_fragment_is_of_a_kind_that_the_changelog_has():
    kinds = {
        each["directory"]
        for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    fragments = [path for path in (ROOT / "news").iterdir() if path.name != "README.md"]
    wrong = [
        path.name
        for path in fragments
        if not re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(kinds)})\.md", path.name)
    ]
    assert wrong == []
