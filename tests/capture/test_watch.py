"""Watching a process: what fires, what it does, and whom it does it to."""

from __future__ import annotations

import http.server
import json
import platform
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import closing

import pytest

from leakscan.analysis.judge.pace import ENOUGH_RUNS
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.vitals import Process, ProcessGone, Vitals
from leakscan.capture.watch.actions import SERIES_INTERVALS, Action, Actor, parse_action
from leakscan.capture.watch.moments import moments
from leakscan.capture.watch.watch import (
    Acted,
    Alarm,
    Breaker,
    Ended,
    GrowthLimit,
    Level,
    Rules,
    parse_growth,
    watch,
)
from leakscan.cli.watch_screen import way
from leakscan.errors import CaptureError, UsageError
from leakscan.units import parse_seconds, parse_size


def look(time_unix: float, rss_bytes: int) -> Vitals:
    rest = {name: 0 for name in Vitals.__slots__ if name not in ("time_unix", "rss_bytes")}
    return Vitals(time_unix=time_unix, rss_bytes=rss_bytes, **rest)


@pytest.fixture
def child():
    """A running interpreter that waits for a line on its stdin and then ends."""
    program = "print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("1GB", 10**9), ("1.5 kB", 1500), ("2MiB", 2 << 20), ("7", 7)]
)
def test_sizes_are_read_with_their_unit(text, size_bytes):
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "1XB", "-1MB", "1 2"])
def test_what_is_no_size_is_refused_with_a_hint(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert caught.value.hint != ""


def test_growth_is_a_size_within_a_time():
    assert parse_growth("50MB/30s") == GrowthLimit(50_000_000, 30.0)
    assert parse_seconds("2h") == 7200


def test_a_level_fires_above_it_and_not_at_it():
    level = Level(100)
    assert [bool(level.reason(deque([look(0, rss)]))) for rss in (99, 100, 101)] == [False, False, True]


def test_growth_is_measured_within_its_window_only():
    breaker = Breaker(Rules(thresholds=(GrowthLimit(50, 10),), most_alarms=9, cooldown_seconds=0))
    slow = [breaker.reason_to_act(look(t, 4 * t)) for t in range(0, 60, 5)]
    fast = breaker.reason_to_act(look(60, 4 * 55 + 60))
    assert (set(slow), fast) == ({""}, "RSS grew by 80 B within 10 s")


def test_after_an_alarm_there_is_silence_and_then_an_end():
    breaker = Breaker(Rules(thresholds=(Level(0),), cooldown_seconds=10, most_alarms=2))
    fired = [t for t in range(40) if breaker.reason_to_act(look(t, 1))]
    assert fired == [0, 10]


def test_a_process_is_seen_from_outside(child):
    with closing(Process(child.pid)) as process:
        vitals = process.vitals()
    assert vitals.rss_bytes > 1_000_000
    assert vitals.uss_bytes <= vitals.rss_bytes
    assert vitals.threads == 1
    assert vitals.regions > 10


def test_what_a_look_shows_adds_up(child):
    with closing(Process(child.pid)) as process:
        vitals = process.vitals()
    parts = ("python", "slack", "malloc", "mapped", "stack", "file", "shared")
    assert sum(getattr(vitals, f"{part}_bytes") for part in parts) == vitals.rss_bytes + vitals.swap_bytes


def test_the_pools_of_python_are_seen_from_outside(child):
    with closing(Process(child.pid)) as process:
        assert process.vitals().python_bytes > 500_000


def test_terabytes_that_are_only_reserved_take_no_look_each():
    program = """
import mmap
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
kept = mmap.mmap(-1, 16 << 40, flags=flags)
print("ready", flush=True)
input()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if child.stdout.readline() != b"ready\n":
            pytest.skip("nothing of this size can be reserved here")
        with closing(Process(child.pid)) as process:
            before = time.process_time()
            assert process.vitals().python_bytes > 500_000
            assert time.process_time() - before < 2
        child.kill()


def test_a_process_without_python_has_no_pools():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as cat, closing(Process(cat.pid)) as process:
        assert process.vitals().python_bytes is None
        cat.communicate(b"")


def test_watching_ends_when_the_process_does(child):
    with closing(Process(child.pid)) as process:

        def end_it(_seconds):
            child.communicate(b"\n")

        events = list(watch(process, Rules(), wait=end_it))
    assert [type(event) for event in events] == [Vitals, Ended]


def test_the_signal_reaches_the_process_that_was_named(child):
    with closing(Process(child.pid)) as process:
        events = watch(process, Rules(thresholds=(Level(1),), actions=(Action("signal", "TERM"),)))
        alarm = next(event for event in events if isinstance(event, Alarm))
    assert alarm.outcome == (f"SIGTERM sent to process {child.pid}",)
    assert child.wait() == -signal.SIGTERM


def test_a_dry_run_does_nothing(child):
    rules = Rules(thresholds=(Level(1),), actions=(Action("signal", "KILL"),), is_dry_run=True)
    with closing(Process(child.pid)) as process:
        alarm = next(event for event in watch(process, rules) if isinstance(event, Alarm))
    assert alarm.outcome == ("dry run: signal=KILL",)
    assert child.poll() is None


def test_a_process_that_ended_is_not_signalled(child):
    with closing(Process(child.pid)) as process:
        child.communicate(b"\n")
        with pytest.raises(ProcessGone):
            process.vitals()
        outcome = Actor(process).perform(Action("signal", "TERM"), "because")
    assert outcome == "signal: the process had already ended"


def test_no_such_process_is_one_clear_error(child):
    child.communicate(b"\n")
    with pytest.raises(CaptureError, match=f"there is no process {child.pid}"):
        Process(child.pid)


def test_a_command_learns_which_process_and_why(child, tmp_path):
    told = tmp_path / "told"
    command = f'printf "%s %s" "$LEAKSCAN_PID" "$LEAKSCAN_REASON" > {told}'
    with closing(Process(child.pid)) as process:
        assert Actor(process).perform(Action("command", command), "too much") == "command ended with 0"
    assert told.read_text() == f"{child.pid} too much"


def test_a_webhook_is_told_the_reason(child):
    received = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server, closing(Process(child.pid)) as process:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        post = Action("webhook", f"http://127.0.0.1:{server.server_port}/")
        outcome = Actor(process).perform(post, "too much")
        thread.join()
    assert (outcome, received) == ("webhook answered 204", [b"too much"])


needs_attach = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="attach needs Linux"
)


@needs_attach
def test_an_alarm_can_take_a_snapshot_of_the_process(child, tmp_path):
    with closing(Process(child.pid)) as process:
        said = Actor(process).perform(Action("snapshot", str(tmp_path / "leak")), "too much")
    assert said.startswith(f"{tmp_path / 'leak' / 'before.heap'} written"), said
    child.communicate(b"\n")
    assert child.returncode == 0


@needs_attach
def test_a_series_goes_on_after_its_alarm_and_can_be_compared(child, tmp_path):
    rules = Rules((Level(1),), (Action("series", str(tmp_path / "leak")),), most_alarms=1, series_seconds=0.0)
    steps = []
    with closing(Process(child.pid)) as process:
        for event in watch(process, rules, wait=lambda seconds: None):
            steps += [event] if isinstance(event, Alarm | Acted) else []
            if len(steps) == 1 + SERIES_INTERVALS:
                break
    assert [type(step) for step in steps] == [Alarm, *SERIES_INTERVALS * [Acted]]
    captured = read_capture(tmp_path / "leak")
    assert (len(captured.snapshots), captured.status) == (1 + SERIES_INTERVALS, "complete")
    assert not is_armed(child.pid)


def test_a_series_has_as_many_intervals_as_a_verdict_needs():
    assert SERIES_INTERVALS >= ENOUGH_RUNS


@needs_attach
def test_a_watch_that_ends_during_a_series_leaves_nothing_armed(child, tmp_path):
    rules = Rules((Level(1),), (Action("series", str(tmp_path / "leak")),), most_alarms=1)
    with closing(Process(child.pid)) as process:
        with closing(watch(process, rules, wait=lambda seconds: None)) as looks:
            next(event for event in looks if isinstance(event, Alarm))
            assert is_armed(child.pid)
        assert not is_armed(child.pid)


@needs_attach
def test_a_series_that_fails_leaves_nothing_armed(child, tmp_path):
    with closing(Process(child.pid)) as process:
        actor = Actor(process, series_seconds=0.0)
        actor.perform(Action("series", str(tmp_path / "leak")), "too much")
        (tmp_path / "leak/run.json").write_text("{}")
        assert [said[:14] for said in actor.due(1e12)] == ["series failed:"]
        assert not is_armed(child.pid)


def is_armed(pid):
    with Attachment(pid) as target:
        return target.is_armed


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], 3),
        (["sh", "-c", "kill -9 $$"], 137),  # gone before the first look
        (["sh", "-c", "exit 4"], 4),
    ],
)
def test_the_exit_status_of_a_watched_command_is_passed_on(command, status):
    watched = [sys.executable, "-m", "leakscan", "watch", "--every", "10ms", "--", *command]
    assert subprocess.run(watched, stdout=subprocess.DEVNULL, check=False).returncode == status


def test_a_snapshot_that_cannot_be_taken_is_said_and_the_watch_goes_on(child, tmp_path):
    (tmp_path / "leak").write_text("a file")
    with closing(Process(child.pid)) as process:
        said = Actor(process).perform(Action("snapshot", str(tmp_path / "leak")), "too much")
    assert said.startswith("snapshot failed: ")


def test_what_is_no_action_is_refused_with_a_hint():
    with pytest.raises(UsageError) as caught:
        parse_action("explode=now")
    assert "snapshot=DIR" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "drawn"), [([5], "."), ([1, 1, 1], "..."), ([0, 1, 2, 3, 4, 5, 6], ".:-=+*#"), ([6, 0], "#.")]
)
def test_the_way_a_figure_went_is_drawn_from_least_to_most(values, drawn):
    assert way(values) == drawn


def test_a_long_way_keeps_its_last_value_and_fits():
    drawn = way([*range(1000), 0])
    assert (len(drawn) <= 24, drawn[-1]) == (True, ".")


def command_line(*arguments: str) -> tuple[int, str, str]:
    code = "import sys; from leakscan.cli import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, "watch", *arguments], check=False, capture_output=True, text=True
    )
    return result.returncode, result.stdout, result.stderr


def test_the_command_prints_json_lines(child):
    code, out, err = command_line(str(child.pid), "--json", "--for", "0s")
    assert (code, err) == (0, "")
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["vitals"]


def test_the_command_prints_a_line_a_look_within_80_columns(child):
    code, out, err = command_line(str(child.pid), "--for", "0s")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == [
        "time",
        "RSS",
        "USS",
        "python",
        "slack",
        "malloc",
        "mapped",
        "thr",
        "regions",
    ]
    assert max(len(line) for line in out.splitlines()) <= 80


def test_the_command_can_start_what_it_watches():
    code, out, _ = command_line("--every", "1ms", "--json", "--", sys.executable, "-c", "pass")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert code == 0
    assert events[-1] == "ended"


def test_an_action_without_a_threshold_is_an_error(child):
    assert command_line(str(child.pid), "--do", "signal=TERM") == (
        2,
        "",
        "error: --do needs a threshold\nhint: add --rss 1GB or --growth 50MB/30s\n",
    )


def test_looks_that_something_took_the_time_of_are_left_out():
    waited: list[float] = []
    looks = moments(every_seconds=0.05, for_seconds=10, wait=waited.append)
    next(looks)
    until = time.monotonic() + 0.2  # a snapshot, of four looks
    while time.monotonic() < until:
        pass
    next(looks)
    next(looks)
    # One look at once, and the next one in its time.
    assert (waited[0], 0 < waited[1] <= 0.05) == (0.0, True)
