"""What hangs on a local of the caller, a fixture or `self` is a leak through every door: small inputs.

The programs are `cases/tests` and those of tools/leakgen/cases that measure themselves.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from case_runs import FULL
from case_truths import TESTS

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
    return _said(str(CASES / "variants.py"), folder=tmp_path_factory.mktemp("variants"))[1]


@pytest.mark.parametrize("way", VARIANTS)
def test_what_is_measured_may_hang_on_anything(way: str, variants: str):
    assert f"{way} -> found: LEAK" in variants


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest wrote about each test of the files; nothing for those that passed."""
    folder = tmp_path_factory.mktemp("suite")
    for name in ASKED:
        shutil.copy(CASES / name, folder)
    _, text = _said("-m", "pytest", "-q", "-p", "no:cacheprovider", *ASKED, folder=folder)
    parts = re.split(r"(?m)^_{3,} (?:\w+\.)?(\w+) _{3,}$", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    "test",
    [test for name in ASKED for test in IN_FILES[name]],
)
def test_a_test_that_leaks_fails_with_its_holder_and_its_line(test: str, reports: dict[str, str]):
    assert "LEAK  20 Entry" in reports.get(test, "passed")
    assert "Server.log" in reports[test]
    file = next(name for name, tests in IN_FILES.items() if test in tests)
    line = re.search(rf"{file}:(\d+)", reports[test].partition("LEAK")[2])
    assert line is not None and "log" in (CASES / file).read_text().splitlines()[int(line[1]) - 1]


@pytest.mark.parametrize("program", ["list", "service"])
def test_a_script_that_measures_itself_finds_what_its_local_holds(program: str, tmp_path: Path):
    code, text = _said(str(REDUCED / f"assert_local_{program}.py"), folder=tmp_path)
    assert (code, "LEAK  20 Order" in text, "orders" in text) == (1, True, True)


def test_a_fixture_of_the_module_keeps_what_a_marked_test_leaves(tmp_path: Path):
    shutil.copy(REDUCED / "test_module_fixture.py", tmp_path)
    _, text = _said(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_module_fixture.py::test_shop", folder=tmp_path
    )
    assert "LEAK  20 Order" in text and "orders" in text
