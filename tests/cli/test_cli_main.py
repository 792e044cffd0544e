from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import findings_samples as samples
from cli_runs import CommandLine, command
from leakscan import __version__
from leakscan.answers.bundle import only_findings
from leakscan.cli import COMMANDS, _unexpected
from leakscan.report.share.capsule import capsule_text

__all__ = ["command"]


def test_the_version_is_one_line(command: CommandLine):
    assert command("--version") == (0, f"leakscan {__version__}\n", "")


def test_an_unknown_command_is_a_usage_error(command: CommandLine):
    assert command("frobnicate") == (
        2,
        "",
        "error: No such command 'frobnicate'.\nhint: `leakscan --help` shows what it takes\n",
    )


def test_an_unknown_option_names_the_command_that_refused_it(command: CommandLine):
    code, out, err = command("diff", "--frobnicate")
    assert (code, out, err.splitlines()[1]) == (2, "", "hint: `leakscan diff --help` shows what it takes")


def test_without_a_command_the_help_goes_to_stderr(command: CommandLine):
    code, out, err = command()
    assert (code, out, err.split(" COMMAND")[0]) == (2, "", "Usage: leakscan [OPTIONS]")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_columns(command: CommandLine, name: str):
    code, out, err = command(*([name] if name else []), "--help")
    assert (code, err, [row for row in out.splitlines() if len(row) > 80]) == (0, "", [])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(command: CommandLine, name: str):
    assert f"leakscan {name} " in command(name, "--help")[1].partition("Examples:")[2]


def test_every_command_says_what_it_does_in_one_line(command: CommandLine):
    assert "..." not in command("--help")[1].partition("Commands:")[2]


def test_help_loads_nothing_heavy():
    probe = (
        "import sys; from leakscan.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({'numpy', 'rich', 'jinja2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def modules_of(*arguments: str) -> set[str]:
    probe = f"import sys; from leakscan.cli import main; main({list(arguments)!r}); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_the_version_loads_no_command_line_library():
    assert not modules_of("--version") & {"click", "tomllib", "leakscan.cli.diff"}


def test_a_command_loads_itself_only():
    loaded = modules_of("diff", "no-such-capture")
    assert {f"leakscan.cli.{name}" for name in COMMANDS} & loaded == {"leakscan.cli.diff"}


def test_it_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "leakscan", "--version"], capture_output=True, check=True)
    assert result.stdout == f"leakscan {__version__}\n".encode()


def test_a_reader_that_goes_away_is_no_error():
    pipeline = f"{sys.executable} -m leakscan --help | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, check=True)
    assert (result.stdout.strip() in ("0", "141"), result.stderr) == (True, "")


def test_an_unexpected_exception_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]):
    code = _unexpected(RuntimeError("odd \x1b[31m name"))
    assert (code, capsys.readouterr().err) == (
        2,
        "error: internal error, please report: RuntimeError: odd \\x1b[31m name\n"
        "hint: LEAKSCAN_DEBUG=1 shows where it happened\n",
    )


def test_the_traceback_of_an_unexpected_exception_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LEAKSCAN_DEBUG", "1")
    try:
        raise RuntimeError("odd")
    except RuntimeError as error:
        _unexpected(error)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("diff",), ("graph",), ("top",), ("whatif", "--cut", "a.b")])
def test_a_directory_that_is_no_capture_says_what_to_do(
    command: CommandLine, tmp_path: Path, arguments: tuple[str, ...]
):
    assert command(arguments[0], str(tmp_path), *arguments[1:]) == (
        2,
        "",
        f"error: {tmp_path} is not a capture: it has no run.json\n"
        "hint: leakscan capture TARGET -o DIR writes one\n",
    )


def test_ctrl_c_while_text_is_compiled_ends_with_its_code_and_not_by_the_signal():
    code = "import leakscan.cli as cli\ncli._run = lambda given: exec('raise KeyboardInterrupt')\ncli.run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def in_a_shell(text: str) -> tuple[int, str, str]:
    command = ["sh", "-c", text.replace("leakscan", f"{sys.executable} -m leakscan", 1)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", ["--version", "query x --tables"])
def test_an_answer_that_cannot_be_written_is_one_clear_error(arguments: str):
    sentence = "error: cannot write the answer: No space left on device\n"
    assert in_a_shell(f"leakscan {arguments} >/dev/full") == (2, "", sentence)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
def test_a_stream_that_the_shell_closed_is_written_nowhere_else():
    assert in_a_shell("leakscan query x --tables >&-") == (0, "", "")
    assert in_a_shell("leakscan top no-such-snapshot 2>&-") == (2, "", "")


def test_what_the_encoding_of_stdout_lacks_is_written_as_its_escape(tmp_path: Path):
    named = replace(samples.CLEAN, headline="NO LEAK  clean: \N{GREEK SMALL LETTER ALPHA}.")
    capsule = tmp_path / "a.capsule"
    capsule.write_text(capsule_text(only_findings(named)))
    found = in_a_shell(f"PYTHONIOENCODING=ascii leakscan check {capsule}")
    assert found == (0, "PASS  NO LEAK  clean: \\u03b1.\n", "")
