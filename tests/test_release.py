"""What is shipped besides the code: the GitHub Action, the metadata, and the files a wheel must hold."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

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

    def run(capture: Path, *, baseline: str = "") -> tuple[int, str, bool]:
        sarif = tmp_path / "leaks.sarif"
        inputs = {
            "TARGET": str(capture),
            "RUNS": "5",
            "MODE": "consume",
            "BASELINE": baseline,
            "SARIF": str(sarif),
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


def test_the_action_says_that_it_could_not_run(action, tmp_path: Path):
    assert action(draw_capture(tmp_path / "leak"), baseline="missing.toml")[0] == 2


def test_every_wheel_platform_of_the_plan_is_configured():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]["build"]
    assert [pattern.split("-")[1].split("_")[0] for pattern in configured] == [
        "manylinux",
        "musllinux",
        "macosx",
    ]


def test_the_version_is_written_once_and_the_same():
    import leakscan

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["version"], project["license"]) == (leakscan.__version__, "MIT")
