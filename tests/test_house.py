"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import leakscan

PACKAGE = Path(leakscan.__file__).parent
ROOT = PACKAGE.parent.parent


def files_of(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def test_the_import_contract_holds():
    pytest.importorskip("importlinter")
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


OF_THE_PROGRAM = {
    ("suite.py", "pytest"),
    ("suite.py", "_pytest"),
    ("sitecustomize.py", "sitecustomize"),
    ("works.py", "celery"),
}
"""Packages of the program under test that a file of the recorder drives, and their files."""


def test_the_recorder_needs_only_the_standard_library_and_the_native_module():
    foreign = []
    for file in files_of("record"):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                top = name.split(".")[0]
                if top == "leakscan":
                    allowed = name == "leakscan" or name.split(".")[1] in ("record", "_native", "errors")
                else:
                    allowed = top in sys.stdlib_module_names or (file.name, top) in OF_THE_PROGRAM
                if not allowed:
                    foreign.append(f"{file.relative_to(PACKAGE)}: {name}")
    assert foreign == []


def test_importing_leakscan_brings_in_nothing_heavy():
    probe = "import sys, leakscan; print(sorted({'numpy', 'click', 'rich', 'asyncio'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert result.stdout == "[]\n"


def test_no_file_grows_past_six_hundred_lines():
    long = [
        f"{file.relative_to(PACKAGE)}: {count}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if (count := len(file.read_text().splitlines())) > 600
    ]
    assert long == []


def test_no_two_test_files_have_one_name():
    files = sorted(ROOT.glob("tests/**/test_*.py"))
    names = [file.name for file in files if "cases" not in file.parts]
    assert sorted({name for name in names if names.count(name) > 1}) == [], "pytest imports one of them only"
