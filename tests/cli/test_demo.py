"""`leakscan demo`: the first minute of a new user."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakscan.capture.demo import write_demo
from leakscan.cli import main
from leakscan.errors import UsageError


def test_the_demo_finds_its_leak_and_leaves_what_other_commands_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--runs", "6"]) == 0
    said = capsys.readouterr().out
    assert "LEAK  6 ModelOutput survive 6 runs: 1 per run, every run" in said
    assert main(["whatif", "leak", "--cut", "Workflow._runs[*]", "--cut", "Emitter.handlers[*][*]"]) == 0
    assert main(["demo", "--runs", "5"]) == 0


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "streamlab").mkdir()
    with pytest.raises(UsageError, match="is something else"):
        write_demo(tmp_path)


def test_a_program_that_was_changed_stays_as_it_is(tmp_path: Path):
    changed = write_demo(tmp_path) / "workflow.py"
    changed.write_text("mine = True\n")
    write_demo(tmp_path)
    assert changed.read_text() == "mine = True\n"
    assert not list(tmp_path.rglob("*.toml"))
