"""`leakscan attach` as its user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attach_targets import needs_attach, running
from cli_runs import CommandLine, command  # noqa: F401  # a fixture

pytestmark = needs_attach()

LEAKS = """
class Session: pass
sessions = []
print('ready')
for line in sys.stdin:
    sessions.extend(Session() for _ in range(int(line)))
    print(len(sessions))
"""


def figures_hidden(text: str, pid: int) -> str:
    text = re.sub(r"\d+(\.\d+)? (MB|kB)", "SIZE", text.replace(str(pid), "PID"))
    return re.sub(r"\d+\.\d+ (ms|s)\b", "TIME", text)


def test_one_snapshot(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with running(LEAKS) as target:
        code, out, err = command("attach", str(target.pid), "-o", "x.heap")
    assert (code, figures_hidden(out, target.pid), err) == (
        0,
        "x.heap  SIZE; process PID stood still for TIME, TIME in all\nnext: leakscan top x.heap\n",
        "",
    )


def test_two_calls_make_a_diff(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with running(LEAKS) as target:
        pid = str(target.pid)
        first = command("attach", pid, "--arm", "-o", "leak")[1].splitlines()[-1]
        target.ask("30")
        second = command("attach", pid, "-o", "leak")[1].splitlines()[-1]
        gone = command("attach", pid, "--disarm")[1]
    said = [line.replace(pid, "PID") for line in (first, second, gone)]
    assert said == [
        "next: leakscan attach PID -o leak, after some load",
        "next: leakscan diff leak",
        "births no longer counted in process PID\n",
    ]
    assert "30 Session" in " ".join(command("diff", "leak")[1].split())


def test_without_births_the_answer_says_that_it_is_approximate(
    command: CommandLine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    with running(LEAKS) as target:
        command("attach", str(target.pid), "-o", "leak")
        target.ask("30")
        command("attach", str(target.pid), "-o", "leak")
    assert "new told from old by address, approximate" in " ".join(command("diff", "leak")[1].split())


def test_json_says_what_was_done(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with running(LEAKS) as target:
        code, out, _ = command("attach", str(target.pid), "-o", "x.heap", "--json")
    document = json.loads(out)
    snapshot = document["snapshots"][0]
    assert (code, document["pid"], document["births"]) == (0, target.pid, False)
    assert snapshot["file"] == "x.heap" and 0 < snapshot["pause_seconds"] < snapshot["seconds"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0",), "0 is no process"),
        (("1", "--arm", "--disarm"), "--arm and --disarm are two calls"),
        (("1", "-o", "x.heap", "--minutes", "3"), "a series fills a directory; x.heap is one file"),
        (("1", "-o", "missing/x.heap"), "there is no folder missing"),
    ],
)
def test_what_makes_no_sense_is_said(
    arguments: tuple[str, ...],
    message: str,
    command: CommandLine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("attach", *arguments)
    assert (code, out, err.splitlines()[0]) == (2, "", f"error: {message}")


def test_a_failed_attach_leaves_no_directory(
    command: CommandLine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    with running("import signal\nprint('ready'); signal.pause()") as target:
        target.process.kill()
        target.process.wait()
        code, _, _ = command("attach", str(target.pid), "-o", "leak")
    assert (code, list(tmp_path.iterdir())) == (2, [])
