"""What `import leakscan` offers: each answer of the command line is a call with a typed result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import leakscan
from drawn_captures import CLEAN, draw_capture
from leakscan.analysis.results.findings import Verdict
from leakscan.errors import UsageError


@pytest.fixture
def leak(tmp_path: Path) -> Path:
    return draw_capture(tmp_path / "leak")


def test_every_public_name_is_there():
    assert all(hasattr(leakscan, name) for name in leakscan.__all__)


def test_diff_says_whether_it_leaks(leak: Path):
    assert leakscan.diff(leak).findings.verdict is Verdict.LEAK


def test_check_fails_on_a_leak_and_passes_without_one(leak: Path, tmp_path: Path):
    assert not leakscan.check(leak).passes
    assert leakscan.check(draw_capture(tmp_path / "clean", after=CLEAN)).passes


def test_what_diff_proposes_to_cut_frees_what_it_says(leak: Path):
    worst = leakscan.diff(leak).findings.leaks[0]
    assert worst.cut is not None
    answer = leakscan.whatif(leak, cut=[member.pattern for member in worst.cut.members])
    assert answer.frees_survivors == answer.survivors > 0


def test_paths_lead_to_the_objects_that_leak(leak: Path):
    worst = leakscan.diff(leak).findings.leaks[0]
    assert leakscan.paths(leak, worst.type_name).count >= worst.count


def test_what_cannot_be_answered_is_an_error_with_a_hint(tmp_path: Path):
    with pytest.raises(UsageError) as raised:
        leakscan.diff(tmp_path / "one.heap", tmp_path)
    assert raised.value.hint


def test_the_library_brings_in_no_part_of_the_command_line(leak: Path):
    probe = f"import sys, leakscan; leakscan.diff({str(leak)!r}); leakscan.check({str(leak)!r})\n"
    probe += "print(sorted(name for name in sys.modules if name.startswith(('leakscan.cli', 'click'))))"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
