"""`leakscan attach` as its user sees it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
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
        first = command("attach", pid, "--arm", "-o", "leak")[1].splitlines()[1:]
        target.ask("30")
        second = command("attach", pid, "-o", "leak")[1].splitlines()[1:]
        gone = command("attach", pid, "--disarm")[1]
    said = [line.replace(pid, "PID") for line in (*first, *second, gone)]
    assert said == [
        "next: leakscan attach PID -o leak, after some load",
        "a verdict needs 5 intervals, a look at what is new one",
        "next: leakscan diff leak",
        "a verdict needs 4 more intervals: leakscan attach PID -o leak",
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


def test_json_says_why_it_could_not(command: CommandLine):  # noqa: F811
    code, out, err = command("attach", str(2**22 - 1), "--json")
    assert (code, json.loads(out)["error"]["message"]) == (2, f"there is no process {2**22 - 1}")
    assert err.startswith("error: there is no process")


def test_a_supervisor_is_told_from_its_workers(
    command: CommandLine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    program = """
        workers = []
        while len(workers) < 2:
            if not (worker := os.fork()): signal.pause()
            workers.append(worker)
        print('ready'); sys.stdin.readline(); print(*workers); sys.stdin.readline()
    """
    with running("import signal\n" + textwrap.dedent(program)) as target:
        workers = sorted(target.ask().split(), key=int)
        _, _, err = command("attach", str(target.pid), "-o", "x.heap")
        _, out, _ = command("attach", str(target.pid), "-o", "y.heap", "--json")
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)
    assert f"has 2 Python children ({', '.join(workers)})" in err
    assert json.loads(out)["python_children"] == [int(pid) for pid in workers]


def test_ctrl_c_does_not_wait_for_a_lock_that_is_not_let_go_of(tmp_path: Path):
    holds = "import re; print('ready'); re.match('(a+)+$', 'a' * 60 + 'b')"
    with running(holds) as target:
        attaching = subprocess.Popen(
            [sys.executable, "-m", "leakscan", "attach", str(target.pid), "-o", str(tmp_path / "x.heap")]
        )
        until = time.monotonic() + 60
        while not has_agent(target.pid) and time.monotonic() < until:
            time.sleep(0.01)
        pressed = time.monotonic()
        attaching.send_signal(signal.SIGINT)
        assert attaching.wait(60) == 130
        assert time.monotonic() - pressed < 4


def has_agent(pid: int) -> bool:
    return any(
        (thread / "comm").read_text() == "leakscan\n" for thread in Path(f"/proc/{pid}/task").iterdir()
    )
