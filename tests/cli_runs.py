"""Runs a command as its user would see it: exit code, stdout, stderr."""

from __future__ import annotations

import pytest

from leakscan.cli import main


class CommandLine:
    """`command("diff", "leak/")` gives (exit code, stdout, stderr), at 80 columns and without colour."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        for name in ("NO_COLOR", "FORCE_COLOR", "LEAKSCAN_DEBUG"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("COLUMNS", "80")

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def transcript(self, *arguments: str, hide: str = "") -> str:
        """All three as one text to keep; `hide` is a path that differs from machine to machine."""
        code, out, err = self(*arguments)
        text = f"exit code {code}\n---- stdout\n{out}---- stderr\n{err}"
        return text.replace(hide, "DIR") if hide else text


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)
