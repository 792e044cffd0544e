"""leakscan killed at any moment: the target goes on, with no thread, no hook and no tracer left in it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attach_targets import NOTHING, left_in, needs_attach, running
from leakscan.capture.process.attach import Attachment

pytestmark = needs_attach()

TARGET = """
import threading, time
def work():
    while True:
        sum(range(200))
        time.sleep(0.0005)
for _ in range(4): threading.Thread(target=work, daemon=True).start()
kept = [{i: [str(i)]} for i in range(40_000)]
print('ready')
for line in sys.stdin: print('alive')
"""
KILLS = 10


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from leakscan.cli import main; raise SystemExit(main())", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("attach", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_left(pid: int) -> dict[str, int]:
    """What is left once the agent has had its time to leave."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        left = left_in(pid)
        # Without an agent to do it, the next attach removes the folder.
        if {**left, "folders": 0, "mappings": 0} == NOTHING:
            break
    return left


@pytest.mark.parametrize("flags", [(), ("--arm",)], ids=["plain", "arm"])
def test_killed_at_any_moment_it_leaves_the_target_clean(flags: tuple[str, ...], tmp_path: Path):
    with running(TARGET) as target:
        began = time.monotonic()
        whole = start(str(target.pid), "-o", str(tmp_path / "whole.heap"), "--timeout", "60")
        _, said = whole.communicate()
        assert whole.returncode == 0, said
        seconds = time.monotonic() - began
        states = set()
        for kill in range(KILLS):
            victim = start(str(target.pid), "-o", str(tmp_path / "x.heap"), "--overwrite", *flags)
            try:
                victim.wait(seconds * (0.2 + 0.8 * kill / KILLS))
            except subprocess.TimeoutExpired:
                victim.kill()
            victim.communicate()
            left = wait_until_left(target.pid)
            states.add((left["threads"], left["tracers"], target.ask()))
        with Attachment(target.pid) as attached:
            is_armed = attached.is_armed and flags == ()
        after = left_in(target.pid)
    assert (states, is_armed, after["folders"]) == ({(0, 0, "alive")}, False, 0)


def lines_of(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    lines = []
    for _ in range(count):
        assert select.select([process.stdout], [], [], 60)[0]
        lines.append(process.stdout.readline())
    return lines


def test_a_series_that_is_killed_takes_its_hooks_out(tmp_path: Path):
    with running(TARGET) as target:
        series = start(str(target.pid), "--minutes", "9", "--every", "0.005", "-o", str(tmp_path / "cap"))
        lines_of(series, 2)
        series.kill()
        series.communicate()
        wait_until_left(target.pid)
        with Attachment(target.pid) as attached:
            assert (attached.is_armed, target.ask()) == (False, "alive")


def test_a_series_that_is_interrupted_keeps_what_it_has(tmp_path: Path):
    with running(TARGET) as target:
        series = start(str(target.pid), "--minutes", "9", "--every", "0.005", "-o", str(tmp_path / "cap"))
        lines_of(series, 3)
        # As SIGINT does, which a test run in the background of a shell would have inherited as ignored.
        series.send_signal(signal.SIGTERM)
        series.communicate()
        with Attachment(target.pid) as attached:
            is_armed = attached.is_armed
    run = json.loads((tmp_path / "cap" / "run.json").read_text())
    files = {entry["file"] for entry in run["snapshots"]}
    assert (series.returncode, is_armed, run["status"]) == (130, False, "interrupted")
    assert files == {path.name for path in (tmp_path / "cap").glob("*.heap")} and len(files) >= 3
