"""`make test` runs every file once and tells what failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import run_tests


def test_every_file_is_run_once_and_the_longest_first():
    parts = run_tests.batches(run_tests.all_files())
    assert sorted(file for files in parts for file in files) == run_tests.all_files()
    assert [files[0].stem for files in parts[:2]] == list(run_tests.LONGEST[:2])
    assert {len(files) for files in parts} <= set(range(1, run_tests.MANY + 1))


def test_what_is_called_the_longest_is_there():
    stems = {file.stem for file in run_tests.all_files()}
    assert (set(run_tests.LONGEST) - stems, run_tests.QUICK - stems) == (set(), set())


@pytest.mark.parametrize(
    ("text", "is_good", "counts"),
    [
        ("def test_it(): pass", True, {"passed": 1}),
        ("def test_it(): assert 0", False, {"failed": 1}),
        ("import nothing_of_this_name", False, {"error": 1}),
        ("", True, {}),
    ],
    ids=["it passes", "it fails", "it cannot be imported", "it has no tests"],
)
def test_a_file_that_fails_is_told(text: str, is_good: bool, counts: dict[str, int], tmp_path: Path):
    file = tmp_path / "test_inner.py"
    file.write_text(text)
    ran = run_tests.run([file], ["-p", "no:randomly", "--rootdir", str(tmp_path)])
    found = {word: number for word, number in ran.counts.items() if word in ("passed", "failed", "error")}
    assert (ran.is_good, found) == (is_good, counts)


def test_reasons_to_skip_are_listed(tmp_path: Path):
    file = tmp_path / "test_inner.py"
    file.write_text("import pytest\n\ndef test_it(): pytest.skip('no moon here')")
    assert [line.rpartition(": ")[2] for line in run_tests.run([file], ["-rs"]).skipped] == ["no moon here"]
