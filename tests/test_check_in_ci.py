"""The gate where it runs: in a folder of a repository, and when it begins to be used."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from cli_runs import CommandLine, command
from leakscan.report.share.gate import from_root

__all__ = ["command"]
SCENARIO = """class Room:
    pass


class Chat:
    def __init__(self):
        self.rooms = []

    def enter(self):
        self.rooms.append(Room())


CHAT = Chat()


def once():
    CHAT.enter()
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a leaking scenario in services/chat, which is the current folder."""
    folder = tmp_path / "services" / "chat"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (folder / "scenario.py").write_text(SCENARIO)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return folder


def test_files_are_named_from_the_root_of_the_repository(
    command: CommandLine, service: Path, monkeypatch: pytest.MonkeyPatch
):
    assert command("capture", "scenario.py:once", "--runs", "5", "-o", "leak")[0] == 0
    code, out, _ = command("check", "leak", "--format", "github")
    assert (code, out.partition("file=")[2].partition(",")[0]) == (1, "services/chat/scenario.py")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(service.parent))
    sarif = json.loads(command("check", "leak", "--format", "sarif")[1])
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "chat/scenario.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", "/somewhere/else")
    assert "file=services/chat/scenario.py," in command("check", "leak", "--format", "github")[1]
    monkeypatch.chdir(service.parents[1])  # a check at the root of what was captured in a folder of it
    assert (
        "file=services/chat/scenario.py," in command("check", str(service / "leak"), "--format", "github")[1]
    )
    monkeypatch.chdir(service.parent)
    run = service / "leak" / "run.json"
    run.write_text(run.read_text().replace(str(service), "/home/runner/chat"))
    assert "file=services/" in command("check", str(service / "leak"), "--format", "github")[1]


def test_a_file_beside_the_folder_is_named_from_the_root_too(tmp_path: Path):
    folder = str(tmp_path / "services" / "chat")
    for written in ("../../shared/hub.py", str(tmp_path / "shared" / "hub.py")):
        assert from_root(written, str(tmp_path), folder) == "shared/hub.py"
    assert from_root("/usr/lib/queue.py", str(tmp_path), folder) == "/usr/lib/queue.py"


def test_writing_a_baseline_says_so_and_passes(command: CommandLine, service: Path):
    assert command("capture", "scenario.py:once", "--runs", "5", "-o", "leak")[0] == 0
    code, out, _ = command("check", "leak", "--write-baseline", "known.toml")
    assert (code, out.split(", until")[0]) == (0, "known.toml: 1 known leak")
    signature = tomllib.loads(Path("known.toml").read_text())["known"][0]["signature"]
    assert out.splitlines()[1:] == [f"  {signature}  scenario.Room, held by Chat.rooms"]
    assert command("check", "leak", "--baseline", "known.toml")[0] == 0
    assert command("check", "leak", "--write-baseline", "known.toml")[0] == 2
