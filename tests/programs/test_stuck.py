"""Tasks and threads that can never wake: each program of the grid, and nobody accused who can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import validate

from attach_targets import needs_attach, running
from cli_runs import CommandLine
from leakscan import load
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.waits import Answer, HeldBy, Reason, Stuck, Suspended, Waiter, WaitGroup
from leakscan.analysis.stuck.find import find_stuck
from leakscan.capture import Settings, capture
from leakscan.report.text.lines import plain
from leakscan.report.text.stuck import stuck_text
from leakscan.report.text.terminal import Screen
from stuck_nestings import nesting, wrong_tasks
from stuck_programs import (
    NEVER,
    Program,
    answers_by_program,
    programs,
    programs_of_trio,
    wrong_answers,
)

TESTS = Path(__file__).parents[1]
BATCH = 700


def observed(chosen: list[Program], folder: Path, *more: str) -> Stuck:
    """What is said about these programs, all run in one process."""
    listed, heap = folder / "programs.json", folder / "stuck.heap"
    listed.write_text(json.dumps([{"name": one.name, "source": one.source} for one in chosen]))
    done = subprocess.run(
        [sys.executable, str(TESTS / "stuck_runs.py"), str(listed), str(heap), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr[-2000:]) == (0, "")
    graph = load(heap)
    return find_stuck(graph, liveness(graph))


ALL = programs(with_anyio=True)


def test_there_are_enough_programs_of_both_kinds():
    assert sum(one.expected == NEVER for one in ALL) > 200
    assert sum(one.expected != NEVER for one in ALL) > 200
    assert len({one.name for one in ALL}) == len(ALL)


@pytest.mark.parametrize("start", range(0, len(ALL), BATCH))
def test_every_stuck_wait_is_found_and_no_other_is_accused(start, tmp_path):
    pytest.importorskip("anyio")
    chosen = ALL[start : start + BATCH]
    assert wrong_answers(chosen, observed(chosen, tmp_path)) == []


def test_the_same_under_uvloop(tmp_path):
    pytest.importorskip("uvloop")
    chosen = [
        one
        for one in ALL
        if one.name.startswith(("event", "queue", "thread")) or not one.name.startswith("anyio_")
    ][::4]
    assert wrong_answers(chosen, observed(chosen, tmp_path, "uvloop")) == []


def test_waits_inside_waits_are_right_for_each_of_their_tasks(tmp_path):
    nestings = [nesting(seed) for seed in range(1, 201)]
    found = observed([each.program for each in nestings], tmp_path)
    assert [wrong for each in nestings for wrong in wrong_tasks(each, found)] == []


def test_the_grid_of_trio(tmp_path):
    pytest.importorskip("trio")
    pytest.importorskip("anyio")
    chosen = programs_of_trio(with_anyio=True)
    assert wrong_answers(chosen, observed(chosen, tmp_path, "trio")) == []


MAIN = """
import asyncio, os, sys, threading, time, leakscan
def later():
    time.sleep(0.3)
    leakscan.snapshot(sys.argv[1])
    os._exit(0)
async def main():
    threading.Thread(target=later).start()
    stop = asyncio.Event()
    await stop.wait()
asyncio.run(main())
"""


def test_the_main_task_is_never_accused(tmp_path):
    heap = tmp_path / "main.heap"
    subprocess.run([sys.executable, "-c", MAIN, str(heap)], check=True, timeout=60)
    graph = load(heap)
    assert find_stuck(graph, liveness(graph)).waiting == 0  # it is not even counted: Ctrl-C reaches it


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_waits_of_everyday_programs_are_not_accused(loop, tmp_path):
    pytest.importorskip(loop)
    heap = tmp_path / "everyday.heap"
    arguments = [str(heap), str(tmp_path), *(["uvloop"] if loop == "uvloop" else [])]
    program = str(TESTS / "stuck_everyday.py")
    subprocess.run([sys.executable, program, *arguments], check=True, timeout=300, stderr=subprocess.DEVNULL)
    graph = load(heap)
    found = find_stuck(graph, liveness(graph))
    assert [(group.name, group.answer) for group in found.groups if group.answer is not Answer.CAN_WAKE] == []
    assert found.waiting >= 30


def test_tasks_of_trio(tmp_path):
    pytest.importorskip("trio")
    heap = tmp_path / "trio.heap"
    subprocess.run([sys.executable, str(TESTS / "stuck_trio.py"), str(heap)], check=True, timeout=120)
    graph = load(heap)
    found = find_stuck(graph, liveness(graph))
    answers = answers_by_program(found)
    stuck = {name for name, said in answers.items() if "never" in said}
    assert stuck == {name for name in answers if name.startswith("stuck_")}
    assert {"stuck_event", "stuck_receive", "stuck_lock", "stuck_nursery"} <= stuck
    assert {"fine_event", "fine_timeout", "fine_socket", "fine_signal"} <= set(answers) - stuck


def visited(target: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Stuck]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent / "fixtures"), prepend=os.pathsep)
    captured = capture(f"watchers:{target}", output=folder / "leak", settings=Settings(runs=6, warmup=2))
    graph = load(captured.after)
    return captured.after, find_stuck(graph, liveness(graph))


def test_the_watchers_of_closed_sessions_never_wake(tmp_path, monkeypatch):
    _, found = visited("visit", tmp_path, monkeypatch)
    (group,) = [group for group in found.groups if group.answer is Answer.NEVER]
    assert (group.name, group.count, group.waits_for) == ("watch", 8, "asyncio.locks.Event")
    assert (group.held_by, group.holder) == (HeldBy.COLLECTION, "watchers.Room.watchers")
    assert [count for run, count in group.births if run] == [1] * 6
    assert [step.function for step in group.chain] == ["watch", "Event.wait"]
    assert group.chain[0].file.endswith("watchers/__init__.py")
    # Their sessions and histories live only through them.
    assert found.only_they_hold_count > 8 * 50


def test_watchers_that_are_told_are_not_stuck(tmp_path, monkeypatch):
    _, found = visited("visit_fixed", tmp_path, monkeypatch)
    assert found.never == 0


def test_the_command_prints_the_same_for_a_file_and_its_directory(tmp_path, monkeypatch, capsys):
    command = CommandLine(capsys, monkeypatch)
    after, found = visited("visit", tmp_path, monkeypatch)
    code, out, error = command("stuck", str(after))
    assert (code, error) == (0, "")
    assert out.startswith(f"STUCK  8 of {found.waiting} that wait can never wake.")
    assert command("stuck", str(tmp_path / "leak")) == (0, out, "")


@needs_attach()
def test_a_process_that_runs_is_read_through_its_number(monkeypatch, capsys):
    with running(LOST_TASKS) as target:
        code, out, error = CommandLine(capsys, monkeypatch)("stuck", str(target.pid))
        assert (code, error) == (0, "")
        assert out.startswith("STUCK  3 of 4 that wait can never wake.")
        assert "kept in __main__.kept" in out


def test_json_is_as_its_schema_says(tmp_path, monkeypatch, capsys):
    command = CommandLine(capsys, monkeypatch)
    after, _ = visited("visit", tmp_path, monkeypatch)
    code, out, _ = command("stuck", str(after), "--json")
    document = json.loads(out)
    schema = TESTS.parent / "docs" / "schema" / "stuck-1.json"
    validate(document, json.loads(schema.read_text()))
    assert (code, document["never"], document["format"]) == (0, 8, "leakscan-stuck")


LOST_TASKS = """
import asyncio
kept, queue = set(), None
async def lost(): await asyncio.Queue().get()
async def served(): await queue.get()
async def main():
    global queue
    queue = asyncio.Queue()
    kept.update(asyncio.create_task(lost()) for _ in range(3))
    kept.add(asyncio.create_task(served()))
    await asyncio.sleep(0)
    print('ready')
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


GROUP = WaitGroup(
    waiter=Waiter.TASK,
    name="watch",
    count=20,
    answer=Answer.NEVER,
    reason=Reason.UNREACHABLE,
    waits_for="asyncio.locks.Event",
    waits_for_groups=(),
    held_by=HeldBy.COLLECTION,
    holder="app.Room.watchers",
    chain=(Suspended("watch", "app/room.py", 41), Suspended("Event.wait", "asyncio/locks.py", 213)),
    births=((1, 10), (2, 10)),
)
FOUND = Stuck("cpython", 24, 20, 0, 0, 400, 51_200, (GROUP,))


def test_the_text_says_who_waits_for_what_where_and_since_when():
    assert plain(stuck_text(FOUND, Screen(), limit=10)) == (
        "STUCK  20 of 24 that wait can never wake. Only they hold 400 objects, 51.2 kB.\n"
        "\n"
        "  20 x task watch\n"
        "      waits for asyncio.locks.Event, which nobody else can reach; the task is\n"
        "      kept in app.Room.watchers\n"
        "         watch  app/room.py:41\n"
        "      `- Event.wait  asyncio/locks.py:213\n"
        "      since run 1, 10 per run in 2 runs\n"
    )


def test_nobody_stuck_is_said_in_one_line():
    nobody = replace(FOUND, never=0, groups=(replace(GROUP, answer=Answer.CAN_WAKE),))
    assert (
        plain(stuck_text(nobody, Screen(), limit=10))
        == "NOTHING STUCK  24 wait; none is known to wait in vain\n"
    )


def test_what_only_cancelling_ends_is_no_accusation():
    cancelled = replace(GROUP, answer=Answer.UNLESS_CANCELLED, held_by=HeldBy.NAME, holder="Service.task")
    text = plain(
        stuck_text(replace(FOUND, never=0, unless_cancelled=20, groups=(cancelled,)), Screen(), limit=1)
    )
    assert text.startswith("NOTHING STUCK")
    assert "(no accusation)" in text
    assert "Service.task" in text


def test_groups_past_the_limit_are_counted():
    many = replace(FOUND, groups=tuple(replace(GROUP, name=f"w{number}") for number in range(3)))
    assert plain(stuck_text(many, Screen(), limit=1)).endswith("... 2 more: --limit 0 shows them\n")
    assert "more" not in plain(stuck_text(many, Screen(), limit=0))
