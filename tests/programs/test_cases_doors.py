"""What hangs on a local of the caller, a fixture or `self` is a leak through every door: small inputs.

The programs are `cases/tests` and those of tools/leakgen/cases that measure themselves.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from asked import FULL
from case_truths import TESTS
from inner_suites import without_plugins

CASES: Final = TESTS / "cases" / "tests"
REDUCED: Final = TESTS.parent / "tools" / "leakgen" / "cases"
VARIANTS: Final = ("global", "module closure", "callable object", "local bound", "local lambda", "local def")
"""The ways to hand over what is measured, in `variants.py`."""
IN_FILES: Final = {
    "test_sess.py": ("test_session_fixture", "test_module_fixture", "test_global", "test_sess_fixture_api"),
    "test_fn.py": (
        *("test_fn_fixture_api", "test_local_api", "test_cls_fixture"),
        *("test_cls_attr", "test_u", "test_api"),
    ),
}
ASKED: Final = [name for name in IN_FILES if FULL or name == "test_sess.py"]


RUNS: Final = 20 if FULL else 5
"""Of the files that are copied: the answer does not depend on it."""


def _copied(file: Path, folder: Path) -> str:
    """The name of a copy that is measured in RUNS runs."""
    (folder / file.name).write_text(re.sub(r"\bruns=\d+", f"runs={RUNS}", file.read_text()))
    return file.name


def _said(*arguments: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("variants")
    return _said(_copied(CASES / "variants.py", folder), folder=folder)[1]


@pytest.mark.parametrize("way", VARIANTS)
def test_what_is_measured_may_hang_on_anything(way: str, variants: str):
    assert f"{way} -> found: LEAK" in variants


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest wrote about each test of the files; nothing for those that passed."""
    folder = tmp_path_factory.mktemp("suite")
    files = [_copied(CASES / name, folder) for name in ASKED]
    _, text = _said("-m", "pytest", "-q", *without_plugins(), *files, folder=folder)
    parts = re.split(r"(?m)^_{3,} (?:\w+\.)?(\w+) _{3,}$", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    "test",
    [test for name in ASKED for test in IN_FILES[name]],
)
def test_a_test_that_leaks_fails_with_its_holder_and_its_line(test: str, reports: dict[str, str]):
    assert f"LEAK  {RUNS} Entry" in reports.get(test, "passed")
    assert "Server.log" in reports[test]
    file = next(name for name, tests in IN_FILES.items() if test in tests)
    line = re.search(rf"{file}:(\d+)", reports[test].partition("LEAK")[2])
    assert line is not None and "log" in (CASES / file).read_text().splitlines()[int(line[1]) - 1]


@pytest.mark.parametrize("program", ["list", "service"])
def test_a_script_that_measures_itself_finds_what_its_local_holds(program: str, tmp_path: Path):
    code, text = _said(_copied(REDUCED / f"assert_local_{program}.py", tmp_path), folder=tmp_path)
    assert (code, f"LEAK  {RUNS} Order" in text, "orders" in text) == (1, True, True)


def test_a_fixture_of_the_module_keeps_what_a_marked_test_leaves(tmp_path: Path):
    test = _copied(REDUCED / "test_module_fixture.py", tmp_path) + "::test_shop"
    _, text = _said("-m", "pytest", "-q", *without_plugins(), test, folder=tmp_path)
    assert f"LEAK  {RUNS} Order" in text and "orders" in text
