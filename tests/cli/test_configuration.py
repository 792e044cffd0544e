"""Configuration: pyproject.toml below the environment below flags; completion, the man page, terminals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import findings_samples as samples
from cli_runs import CommandLine, command
from leakscan.analysis.capsule import Capsule
from leakscan.report.share.capsule import capsule_text

__all__ = ["command"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def capsule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A capsule with four leaks, in an empty folder that is the current one."""
    file = tmp_path / "leak.capsule"
    file.write_text(capsule_text(Capsule((samples.SEVERAL,), (), (), (), (), ())))
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    return str(file)


def leaks_shown(command: CommandLine, capsule: str, *options: str) -> int:
    code, out, err = command("diff", capsule, *options)
    assert (code, err) == (0, "")
    return sum(line.startswith("leak ") for line in out.splitlines())


def test_flags_are_stronger_than_the_environment_and_that_than_the_file(
    command: CommandLine, capsule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert leaks_shown(command, capsule) == 4
    (tmp_path / "pyproject.toml").write_text("[tool.leakscan]\nlimit = 1\n")
    assert leaks_shown(command, capsule) == 1
    (tmp_path / "pyproject.toml").write_text("[tool.leakscan]\nlimit = 1\n[tool.leakscan.diff]\nlimit = 2\n")
    assert leaks_shown(command, capsule) == 2
    monkeypatch.setenv("LEAKSCAN_LIMIT", "3")
    assert leaks_shown(command, capsule) == 3
    monkeypatch.setenv("LEAKSCAN_DIFF_LIMIT", "1")
    assert leaks_shown(command, capsule) == 1
    assert leaks_shown(command, capsule, "--limit", "2") == 2


def test_lists_and_switches_can_be_configured(command: CommandLine, capsule: str, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.leakscan.check]\nbudget = ["total=900GB"]\n[tool.leakscan.diff]\njson = true\n'
    )
    assert command("check", capsule)[0] == 0
    assert command("diff", capsule)[1].startswith("{")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[tool.leakscan]\nlimt = 1\n", "[tool.leakscan] has no key 'limt'", "nearest: limit"),
        ("[tool.leakscan]\ncheks = 1\n", "[tool.leakscan] has no key 'cheks'", "nearest: check"),
        ("[tool.leakscan.check]\nrunz = 1\n", "[tool.leakscan.check] has no key 'runz'", "nearest: runs"),
        ("[tool.leakscan]\nzzzz = 1\n", "no key 'zzzz'", "configuration.md has all keys"),
        ("[tool.leakscan.check]\nstrict = 'yes'\n", "strict is not true or false", "--strict"),
        ("[tool.leakscan.check]\nbudget = 3\n", "budget is not a list of texts", "--budget"),
        ("[tool]\nleakscan = 3\n", "tool.leakscan is not a table", "[tool.leakscan]"),
        ("[tool.leakscan\n", "is not TOML", "[tool.leakscan]"),
    ],
)
def test_a_wrong_configuration_is_one_clear_error(
    command: CommandLine, capsule: str, tmp_path: Path, text: str, message: str, hint: str
):
    (tmp_path / "pyproject.toml").write_text(text)
    code, out, err = command("diff", capsule)
    assert (code, out, message in err, hint in err, err.count("error: ")) == (2, "", True, True, 1)
    assert command("--version")[0] == 0


def test_what_other_tools_wrote_is_left_alone(command: CommandLine, capsule: str, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 1\n")
    assert leaks_shown(command, capsule) == 4
    (tmp_path / "pyproject.toml").write_text("not TOML at all")
    assert leaks_shown(command, capsule) == 4


def test_a_variable_that_is_nearly_one_is_warned_about(
    command: CommandLine, capsule: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LEAKSCAN_LIMITS", "3")
    assert command("diff", capsule)[2] == "warning: LEAKSCAN_LIMITS is not known; nearest: LEAKSCAN_LIMIT\n"


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from leakscan.cli import main; sys.exit(main())"
    unset = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, **environment},
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str):
    # fish hands over the word that is typed, the others its number.
    typed = {"COMP_WORDS": "leakscan re", "COMP_CWORD": "re" if shell == "fish" else "1"}
    result = program(_LEAKSCAN_COMPLETE=f"{shell}_complete", **typed)
    assert "report" in result.stdout
    assert "_LEAKSCAN_COMPLETE" in program("--show-completion", shell).stdout


def test_the_man_page_is_roff_that_man_accepts():
    page = ROOT / "docs" / "man" / "leakscan.1"
    text = page.read_text()
    assert (text.startswith(".TH LEAKSCAN 1"), '.SH "leakscan check"' in text) == (True, True)
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(page)], capture_output=True, text=True, check=True
    )
    assert (shown.stderr, "leakscan check" in shown.stdout) == ("", True)


@pytest.mark.parametrize(
    ("environment", "has_colour"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, False),
    ],
)
def test_colour_is_as_the_environment_asks(capsule: str, environment: dict[str, str], has_colour: bool):
    assert ("\x1b[" in program("diff", capsule, **environment).stdout) == has_colour


@pytest.mark.parametrize("columns", [80, 120])
def test_the_width_is_as_the_environment_asks(capsule: str, columns: int):
    rows = program("diff", capsule, COLUMNS=str(columns)).stdout.splitlines()
    assert columns - 20 < max(len(row) for row in rows) <= columns
