"""The project's own interpreter is found, said and left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan.capture.environment import ProjectPython, project_python, shared_with_program

LEAKS = """
import shop

def once():
    shop.ORDERS.append(shop.Order())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a `.venv` that holds a package `shop`, which leakscan's own environment has not."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    packages = next((folder / ".venv" / "lib").glob("python*")) / "site-packages"
    (packages / "shop.py").write_text("class Order: pass\n\nORDERS = []\n")
    (packages / "shop-1.0.dist-info").mkdir()
    (packages / "shop-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n"
    )
    (packages / "shop-1.0.dist-info" / "INSTALLER").write_text("pip\n")
    (folder / "src" / "scenario.py").write_text(LEAKS)
    (folder / ".git").mkdir()
    return folder


def leakscan(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        [sys.executable, "-m", "leakscan", *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def frozen(project: Path) -> tuple[str, list[str]]:
    """`pip freeze` of its environment, and every file in it."""
    environment = project / ".venv"
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment, "freeze"],
        capture_output=True,
        text=True,
        check=True,
    )
    files = sorted(str(path) for path in environment.rglob("*") if "__pycache__" not in path.parts)
    return listed.stdout, files


def test_a_capture_runs_in_the_projects_environment_and_changes_nothing_there(project: Path):
    before = frozen(project)
    captured = leakscan(project, "capture", "src/scenario.py:once", "--runs", "5", "-o", "leak")
    version = ".".join(map(str, sys.version_info[:3]))
    assert captured.returncode == 0, captured.stderr
    assert captured.stderr.startswith(f"in {project / '.venv'}, CPython {version} (.venv)\n")
    assert leakscan(project, "diff", "leak").stdout.startswith("LEAK  5 Order survive 5 runs")
    assert (frozen(project), before[0]) == (before, "shop==1.0\n")


def test_a_command_runs_in_the_projects_environment_and_changes_nothing_there(project: Path):
    before = frozen(project)
    (project / "work.py").write_text(LEAKS + "\nfor number in range(20):\n    once()\n")
    words = ["capture", "--on-call", "work:once", "--runs", "5", "-o", "leak", "--", "python", "work.py"]
    captured = leakscan(project, *words)
    assert captured.returncode == 0, captured.stderr
    assert captured.stderr.startswith(f"starting {project / '.venv' / 'bin' / 'python'} (.venv)\n")
    assert leakscan(project, "diff", "leak").stdout.startswith("LEAK  5 Order survive 5 runs")
    assert frozen(project) == before


def test_a_gate_takes_the_same_interpreter(project: Path):
    checked = leakscan(project / "src", "check", "scenario.py:once", "--runs", "5")
    assert (checked.returncode, checked.stderr.split(",")[0]) == (1, f"in {project / '.venv'}")


def found(project: Path, folder: str = ".", target: str = "a:b", **environment: str) -> ProjectPython:
    return project_python(None, target=target, folder=project / folder, environment=environment)


def test_what_is_named_is_stronger_than_what_is_active_and_that_than_what_lies_there(project: Path):
    other = project / "other"
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "python").symlink_to(sys.executable)
    named = project_python("py", target="a:b", folder=project, environment={"VIRTUAL_ENV": str(other)})
    assert named == ProjectPython("py", "--python")
    assert found(project, VIRTUAL_ENV=str(other)) == ProjectPython(str(other), "VIRTUAL_ENV")
    assert found(project) == ProjectPython(str(project / ".venv"), ".venv")


def test_an_active_environment_that_is_gone_is_passed_over(project: Path):
    assert found(project, VIRTUAL_ENV=str(project / "gone")).python == str(project / ".venv")


def test_the_environment_is_looked_for_from_the_file_up_to_its_repository(project: Path, tmp_path: Path):
    outside = tmp_path / "elsewhere"
    (outside / ".git").mkdir(parents=True)
    assert found(outside).python is None
    assert found(outside, target=f"{project}/src/scenario.py:once").python == str(project / ".venv")
    inner = project / "vendored"
    (inner / ".git").mkdir(parents=True)
    assert found(inner).python is None


def test_leakscan_inside_a_project_stays_in_the_environment_it_runs_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "prefix", str(project / ".tox" / "py"))
    assert found(project).python is None


def test_what_leakscan_shares_with_the_program_is_what_both_need():
    installed = {
        "leakscan-heap": ("1", ("numpy", "rich")),
        "rich": ("15.0", ("pygments",)),
        "pygments": ("2.0", ()),
        "numpy": ("1.24.0", ()),
        "shop": ("1.0", ("numpy", "pygments", "flask")),
        "flask": ("3.0", ()),
    }
    assert shared_with_program(installed) == ["numpy 1.24.0", "pygments 2.0"]
    assert shared_with_program({name: installed[name] for name in ("leakscan-heap", "rich", "numpy")}) == []
