"""Every worker of a supervisor is attached to, and the same leak in several of them is one answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from attach_targets import Program, needs_attach, started
from cli_runs import CommandLine, command  # noqa: F401  # a fixture
from leakscan.analysis.workers import answer_of_workers
from leakscan.answers.analyse import analysed
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.vitals import Process
from leakscan.capture.process.workers import workers_below
from leakscan.capture.watch.actions import Action
from leakscan.capture.watch.tree import TreeLook, watch_tree
from leakscan.capture.watch.watch import Alarm, Level, Rules

pytestmark = needs_attach()
LEAKING, FIXED = 3, 1
SUPERVISOR = """
import multiprocessing, sys

class Session: pass
HELD = {}

def worker(orders, answers, leaks):
    for count in iter(orders.get, None):
        for _ in range(count):
            session = Session()
            if leaks: HELD[len(HELD)] = session
        answers.put(1)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    answers = context.Queue()
    workers = []
    for number in range(int(sys.argv[2]) + int(sys.argv[3])):
        orders = context.Queue()
        given = (orders, answers, number < int(sys.argv[2]))
        process = context.Process(target=worker, args=given, daemon=True)
        process.start()
        workers.append(orders)
    def work(count):
        for orders in workers: orders.put(count)
        for _ in workers: answers.get(timeout=60)
    work(1)
    print("ready", flush=True)
    for line in sys.stdin:
        work(int(line))
        print("worked", flush=True)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "supervisor.py").write_text(SUPERVISOR)
    return tmp_path / "supervisor.py"


def supervisor(script: Path, leaking: int, fixed: int, method: str = "fork") -> Iterator[Program]:
    with started([sys.executable, str(script), method, str(leaking), str(fixed)]) as target:
        assert target.line() == "ready"
        try:
            yield target
        finally:  # it ends by itself: killed, it would leave its workers behind
            assert target.process.stdin is not None
            target.process.stdin.close()
            target.process.wait(60)


@pytest.fixture
def mixed(script: Path) -> Iterator[Program]:
    yield from supervisor(script, LEAKING, FIXED)


@pytest.fixture
def all_fixed(script: Path) -> Iterator[Program]:
    yield from supervisor(script, 0, 2)


@pytest.fixture
def spawned(script: Path) -> Iterator[Program]:
    yield from supervisor(script, 2, 0, "spawn")


def series(target: Program, command: CommandLine, leak: Path, rounds: int = 6) -> None:  # noqa: F811
    assert command("attach", "--tree", str(target.pid), "--arm", "-o", str(leak))[0] == 0
    for _ in range(rounds):
        assert target.ask("50") == "worked"
        assert command("attach", "--tree", str(target.pid), "-o", str(leak))[0] == 0


def test_the_same_leak_in_several_workers_is_one(mixed: Program, tmp_path: Path, command: CommandLine):  # noqa: F811
    leak = tmp_path / "leak"
    series(mixed, command, leak)
    results, unreadable = analysed([leak])
    answer = answer_of_workers(results, [])
    assert (unreadable, answer.count) == ([], LEAKING + FIXED)
    [shared] = [each for each in answer.leaks if each.leak.type_name.endswith("Session")]
    assert len(shared.workers) == LEAKING
    assert shared.counts == (300,) * LEAKING
    code, out, _ = command("diff", str(leak))
    assert code == 0
    assert out.splitlines()[0].startswith(f"LEAK  in {LEAKING} of {LEAKING + FIXED} workers: ")
    assert f"{LEAKING} of {LEAKING + FIXED} workers, leak: 900 Session" in out


def test_workers_that_do_not_leak_are_not_accused(all_fixed: Program, tmp_path: Path, command: CommandLine):  # noqa: F811
    leak = tmp_path / "leak"
    series(all_fixed, command, leak)
    assert "LEAK  in" not in command("diff", str(leak))[1].splitlines()[0].replace("NO LEAK", "")


def test_helpers_of_multiprocessing_are_no_workers(spawned: Program):
    assert len(workers_below(spawned.pid)) == 2


def test_a_process_without_workers_is_refused(mixed: Program, tmp_path: Path, command: CommandLine):  # noqa: F811
    [worker, *_] = workers_below(mixed.pid)
    code, out, err = command("attach", "--tree", str(worker), "-o", str(tmp_path / "leak"))
    assert (code, out) == (2, "")
    assert f"error: there is no Python process below process {worker}" in err


def test_a_directory_of_something_else_is_left_alone(mixed: Program, tmp_path: Path, command: CommandLine):  # noqa: F811
    (tmp_path / "file").write_text("")
    code, _, err = command("attach", "--tree", str(mixed.pid), "-o", str(tmp_path))
    assert code == 2
    assert "is not empty and holds no capture" in err


def test_json_tells_each_worker(mixed: Program, tmp_path: Path, command: CommandLine):  # noqa: F811
    code, out, _ = command("attach", "--tree", str(mixed.pid), "--json", "-o", str(tmp_path / "leak"))
    told = json.loads(out)
    assert (code, told["format"], told["version"]) == (0, "leakscan-attach-tree", 1)
    assert [each["pid"] for each in told["workers"]] == workers_below(mixed.pid)


def test_a_watch_looks_at_all_workers_when_one_passes_its_threshold(
    mixed: Program,
    tmp_path: Path,
    command: CommandLine,  # noqa: F811
):
    leak = tmp_path / "leak"
    rules = Rules(
        thresholds=(Level(1),), actions=(Action("series", str(leak)),), most_alarms=1, series_seconds=0.0
    )
    with closing(Process(mixed.pid)) as supervisor:
        looks = watch_tree(supervisor, rules, every_seconds=0.0, wait=lambda _: mixed.ask("20"))
        with closing(looks):
            events = list(islice(looks, 2 + 2 * 6))
    seen, alarm = events[0], events[1]
    assert isinstance(seen, TreeLook)
    assert [worker.pid for worker in seen.workers] == workers_below(mixed.pid)
    assert 0 < seen.own_bytes < seen.rss_bytes
    assert 0 < seen.copy_on_write_bytes < seen.rss_bytes
    assert isinstance(alarm, Alarm)
    assert alarm.reason.startswith(f"worker {seen.workers[0].pid}: RSS ")
    assert f"{LEAKING + FIXED} of {LEAKING + FIXED} workers" in alarm.outcome[0]
    assert not any(is_armed(worker.pid) for worker in seen.workers)
    merged = json.loads(command("diff", "--json", str(leak))[1])["workers"]
    [shared] = [each for each in merged["leaks"] if each["leak"]["type_name"].endswith("Session")]
    assert len(shared["workers"]) == LEAKING
    assert {row["worker"] for row in merged["memory"]} == {str(worker.pid) for worker in seen.workers}


def is_armed(pid: int) -> bool:
    with Attachment(pid) as target:
        return target.is_armed


def test_the_lines_of_a_watched_tree_fit_80_columns(mixed: Program, command: CommandLine):  # noqa: F811
    code, out, _ = command("watch", "--tree", str(mixed.pid), "--for", "10ms")
    assert code == 0
    assert [len(line) <= 80 for line in out.splitlines()] == [True] * len(out.splitlines())
    assert f"  {LEAKING + FIXED}  " in out.splitlines()[1]
