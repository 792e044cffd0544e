"""leakscan-pytest: recorder and plugin without dependencies; a leakscan elsewhere analyses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from leakscan import __version__
from leakscan.suite.serve import serve

ROOT = Path(__file__).resolve().parents[2]
LEAKSCAN = f"{sys.executable} -m leakscan"
SUITE = """
import sys

class Session:
    pass

KEPT = []

def test_leaks():
    KEPT.append(Session())

def test_part(leakscan):
    leakscan(Session, runs=5)

def test_nothing_else_is_here():
    assert not {"numpy", "click", "leakscan.analysis", "leakscan.testing"} & set(sys.modules)
    assert "leakscan_pytest" in sys.modules["leakscan"].__file__
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of what a wheel of leakscan-heap would hold."""
    folder = tmp_path_factory.mktemp("wheel")
    whole = folder / f"leakscan_heap-{__version__}-cp311-abi3-linux_x86_64.whl"
    info = f"leakscan_heap-{__version__}.dist-info"
    with zipfile.ZipFile(whole, "w") as archive:
        for file in (ROOT / "analyzer" / "leakscan").rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(ROOT / "analyzer"))
        archive.write(ROOT / "LICENSE", f"{info}/licenses/LICENSE")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp311-abi3-linux_x86_64\n")
    subprocess.run([sys.executable, ROOT / "tools" / "pytest_wheel.py", whole], check=True)
    return next(folder.glob("leakscan_pytest*.whl"))


@pytest.fixture
def run(wheel: Path, tmp_path: Path):
    """Runs a suite where that wheel is installed, and no leakscan-heap is."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "test_suite.py").write_text(SUITE)

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        # Without the files that put an editable leakscan on the path, and without the plugins of others.
        others = [path for path in sys.path if path.endswith("site-packages")]
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "installed"), *others]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        words = ["-S", "-m", "pytest", "-q", "-p", "leakscan_pytest", "-p", "no:cacheprovider", "--leakscan"]
        return subprocess.run(
            [sys.executable, *words, "test_suite.py"],
            cwd=tmp_path,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def analysing(tmp_path: Path) -> str:
    """A leakscan with an environment of its own."""
    program = tmp_path / "leakscan"
    program.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec {LEAKSCAN} "$@"\n')
    program.chmod(0o755)
    return str(program)


def test_it_finds_a_leak_with_the_help_of_a_leakscan_elsewhere(run, tmp_path: Path):
    result = run(LEAKSCAN=analysing(tmp_path))
    assert "1 failed, 2 passed" in result.stdout, result.stdout + result.stderr
    assert "LEAK  6 Session survive 6 runs: 1 per run, every run, held by" in result.stdout


def test_a_leakscan_on_the_path_is_found(run, tmp_path: Path):
    analysing(tmp_path)
    result = run(PATH=f"{tmp_path}{os.pathsep}{os.defpath}")
    assert "1 failed, 2 passed" in result.stdout, result.stdout + result.stderr


def test_it_says_once_when_there_is_none(run):
    result = run()
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    said = "leakscan-pytest needs a leakscan that analyses, and there is none on PATH"
    assert result.stderr.count(said) == 1


@pytest.mark.parametrize("program", ["true", "cat"])
def test_it_says_so_when_the_program_is_none_that_fits(run, program: str):
    result = run(LEAKSCAN=program)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{program} is no leakscan {__version__}: it does not answer the plugin" in result.stderr


def test_a_leakscan_of_another_version_is_not_asked(run, tmp_path: Path):
    program = tmp_path / "old"
    program.write_text('#!/bin/sh\nread hello\necho \'{"protocol": 1, "version": "0.0.9"}\'\ncat\n')
    program.chmod(0o755)
    result = run(LEAKSCAN=str(program))
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"the plugin of leakscan {__version__} and leakscan 0.0.9 do not fit" in result.stderr


@pytest.mark.parametrize("hello", [{"version": "9.9.9"}, {}], ids=len)
def test_a_plugin_of_another_version_is_told_which_two_do_not_fit(hello: dict[str, object]):
    answers = io.StringIO()
    serve(io.StringIO(json.dumps({"ask": "hello", **hello}) + "\n"), answers, lambda *_: pytest.fail())
    version = hello.get("version", "?")
    assert json.loads(answers.getvalue()) == {
        "error": f"the plugin of leakscan {version} and leakscan {__version__} do not fit",
        "hint": "install the same version of both",
    }


def test_the_wheel_needs_nothing_and_holds_no_analysis(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"leakscan_pytest-{__version__}.dist-info/METADATA").decode()
    assert "Requires-Dist" not in metadata
    inside = {name.split("/")[3] for name in names if name.startswith("leakscan_pytest/recorder/")}
    assert {"record", "pytest_plugin", "errors.py"} <= inside
    assert not inside & {"analysis", "answers", "capture", "cli", "heap", "report", "suite"}


def test_its_sdist_holds_the_same_and_what_the_native_module_is_built_of(wheel: Path, tmp_path: Path):
    whole = tmp_path / f"leakscan_heap-{__version__}.tar.gz"
    with tarfile.open(whole, "w:gz", compresslevel=1) as archive:
        for name in ("CMakeLists.txt", "LICENSE", "README.md", "analyzer"):
            archive.add(
                ROOT / name,
                f"leakscan_heap-{__version__}/{name}",
                filter=lambda entry: None if "__pycache__" in entry.name else entry,
            )
    subprocess.run([sys.executable, ROOT / "tools" / "pytest_wheel.py", whole], check=True)
    with tarfile.open(tmp_path / f"leakscan_pytest-{__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        python = {name for name in archive.namelist() if name.endswith((".py", "py.typed"))}
    native = {str(path.relative_to(ROOT)) for path in (ROOT / "analyzer" / "native").rglob("*.*")}
    assert python | native | {"CMakeLists.txt", "LICENSE", "pyproject.toml", "PKG-INFO"} <= names
    assert not {name for name in names if "/analysis/" in name or "/cli/" in name}
