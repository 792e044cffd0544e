"""Captures of small programs: what is kept, and what is said when something goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from leakscan import _native
from leakscan import diff as leakscan_diff
from leakscan.answers.sources import pair_in
from leakscan.capture import MoreRuns, Settings, capture, capture_modes, read_capture, read_captures
from leakscan.cli import main
from leakscan.errors import CaptureError, UnsupportedInterpreter, UsageError
from leakscan.heap.kinds import BIRTH_WAITING
from leakscan.heap.reader import load

pytestmark = pytest.mark.skipif(not hasattr(_native, "snapshot_start"), reason="no recorder in this build")
LEAKS_A_BOX = """
    kept = []

    class Box:
        pass

    def once():
        kept.append(Box())
"""
QUICK = Settings(runs=4, warmup=1, settle_seconds=0.5)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes a program into the current folder; gives its target name."""
    monkeypatch.chdir(tmp_path)

    def write(source: str, name: str = "program.py", scenario: str = "once") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return f"{name}:{scenario}"

    return write


def leakscan(capfd, *arguments: str) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    return code, *capfd.readouterr()


def test_what_only_the_collector_frees_has_a_size_where_there_is_much_of_it(program):
    target = program("""
        import gc

        class Ring:
            def __init__(self):
                self.me, self.body = self, bytearray(10_000)

        gc.disable()

        def once():
            for _ in range(100):
                Ring()
    """)
    captured = capture(target, output=Path("rings"), settings=QUICK)
    weighed = [census.collected_bytes for census in captured.census]
    (last,) = [size for size in weighed if size is not None]
    assert 1_000_000 < last < 1_200_000
    findings = leakscan_diff(captured.directory).findings
    assert (findings.survivor_count, findings.garbage_bytes_per_run) == (0, last)


def test_few_objects_that_only_the_collector_frees_are_not_weighed(program):
    target = program("def once():\n    ring = []\n    ring.append(ring)\n")
    captured = capture(target, output=Path("ring"), settings=QUICK)
    assert {census.collected_bytes for census in captured.census} == {None}


def test_a_capture_holds_two_snapshots_and_a_census_of_every_run(program):
    captured = capture(program(LEAKS_A_BOX), output=Path("leak"), settings=QUICK)
    assert [(census.phase, census.run) for census in captured.census] == [
        ("baseline", 0),
        *[("run", run) for run in range(1, 5)],
        ("settled", 4),
    ]
    assert (captured.before.name, captured.after.name, captured.status) == (
        "before.heap",
        "after.heap",
        "complete",
    )
    assert sorted(path.name for path in Path("leak").iterdir()) == [
        "after.heap",
        "before.heap",
        "census.jsonl",
        "run.json",
    ]


def test_the_census_counts_what_each_run_leaves(program):
    captured = capture(program(LEAKS_A_BOX), output=Path("leak"), settings=QUICK)
    counts = [census.types["program.Box"][0] for census in captured.census]
    assert counts == [1, 2, 3, 4, 5, 5]


def test_a_program_that_leaks_nothing_has_a_flat_census(program):
    target = program("def once():\n    return [object() for _ in range(100)]\n")
    captured = capture(target, output=Path("leak"), settings=Settings(runs=6, warmup=3))
    counts = {census.object_count for census in captured.census if census.phase == "run"}
    assert len(counts) == 1


def test_the_summary_names_the_next_command(program, capfd):
    code, out, err = leakscan(capfd, "capture", program(LEAKS_A_BOX), "--runs", "2", "-o", "my leak")
    assert code == 0
    assert out.splitlines()[0] == "captured program.py:once: 2 runs, 2 returned"
    assert out.splitlines()[-1] == "next: leakscan diff 'my leak'"
    assert err.splitlines()[1:] == [
        "3 warm-up runs of program.py:once (consume)",
        "2 runs",
        "the runs are done; waiting for what is in flight",
    ]


def test_a_terminal_gets_a_progress_bar_and_stdout_stays_clean(program):
    # What keeps leakscan's own numpy to one thread is not for the program.
    target = program(
        "import os\n\ndef once():\n    print('asked for', os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    terminal, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}
    environment.pop("OPENBLAS_NUM_THREADS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "leakscan", "capture", target, "--runs", "2"],
        stdout=subprocess.PIPE,
        stderr=side,
        env=environment,
    )
    os.close(side)
    shown = b""
    # Reading from a terminal whose last writer is gone is an error on Linux.
    with contextlib.suppress(OSError):
        while block := os.read(terminal, 1 << 16):
            shown += block
    os.close(terminal)
    out = process.communicate()[0]
    assert (process.returncode, out.splitlines()[-1]) == (0, b"next: leakscan diff leak")
    assert b"consume: run" in shown
    assert b"asked for None" in shown


def test_json_prints_the_run_file(program, capfd):
    code, out, _ = leakscan(capfd, "capture", program(LEAKS_A_BOX), "--runs", "2", "--json")
    assert (code, json.loads(out)) == (0, json.loads(Path("leak/run.json").read_text()))


def test_what_the_target_prints_does_not_reach_stdout(program, capfd):
    target = program("import os\n\ndef once():\n    os.write(1, b'noise ')\n    print('noise')\n")
    _, out, err = leakscan(capfd, "capture", target, "--runs", "2")
    assert ("noise" in out, "noise" in err) == (False, True)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("package/module.py", "package.module:once"),
        ("folder/module.py", "folder/module.py:once"),
        ("module.py", "module:Service.make.once"),
        ("package/__init__.py", "./package:once"),
    ],
)
def test_targets_are_modules_files_and_attributes(program, name, target):
    program(
        """
        kept = []

        def once():
            kept.append(object())

        class Service:
            class make:
                once = staticmethod(once)
        """,
        name,
    )
    assert capture(target, output=Path("leak"), settings=QUICK).runs_completed == 4


def test_a_file_inside_a_package_may_import_its_siblings(program):
    program("", "package/__init__.py")
    program("VALUE = 1\n", "package/sibling.py")
    target = program("from .sibling import VALUE\n\ndef once():\n    return VALUE\n", "package/main.py")
    assert capture(target, output=Path("leak"), settings=QUICK).status == "complete"


def test_the_target_sees_a_program_of_its_own(program):
    target = program(
        """
        import json, sys

        def once():
            with open("seen.json", "w") as seen:
                json.dump(
                    {
                        "name": __name__,
                        "argv": sys.argv,
                        "main": sorted(name for name in vars(sys.modules["__main__"]) if name[0] != "_"),
                        "recorder on path": any("record" in entry for entry in sys.path),
                        "numpy": "numpy" in sys.modules,
                    },
                    seen,
                )
        """
    )
    capture(target, output=Path("leak"), settings=QUICK)
    assert json.loads(Path("seen.json").read_text()) == {
        "name": "program",
        "argv": ["program.py"],
        "main": [],
        "recorder on path": False,
        "numpy": False,
    }


def test_snapshots_can_be_taken_every_few_runs(program):
    captured = capture(
        program(LEAKS_A_BOX), output=Path("leak"), settings=Settings(runs=5, warmup=0, every=2)
    )
    assert [(entry.path.name, entry.run) for entry in captured.snapshots] == [
        ("before.heap", 0),
        ("run-0002.heap", 2),
        ("run-0004.heap", 4),
        ("after.heap", 5),
    ]


def test_a_target_that_waits_can_be_asked_for_more_runs(program):
    seen = []

    def decide(captured):
        seen.append((captured.status, captured.runs_completed, captured.after.exists()))
        return MoreRuns(6) if captured.runs_completed < 6 else None

    captured = capture(program(LEAKS_A_BOX), output=Path("leak"), settings=QUICK, decide=decide)
    assert seen == [("complete", 4, True), ("complete", 6, True)]
    assert (captured.runs, captured.runs_completed) == (6, 6)
    assert [(entry.path.name, entry.run) for entry in captured.snapshots] == [
        ("before.heap", 0),
        ("after.heap", 6),
    ]
    assert [census.types["program.Box"][0] for census in captured.census] == [1, 2, 3, 4, 5, 5, 6, 7, 7]


def test_a_failure_in_the_runs_that_were_added_keeps_what_ran(program):
    target = program(
        """
        runs = []

        def once():
            runs.append(object())
            if len(runs) == 7:
                raise LookupError
        """
    )
    with pytest.raises(CaptureError, match="LookupError in run 6"):
        capture(target, output=Path("leak"), settings=QUICK, decide=lambda captured: MoreRuns(8))
    captured = read_capture(Path("leak"))
    assert (captured.runs_completed, captured.after.exists()) == (5, True)


def test_all_modes_are_captured_in_turn_and_those_without_meaning_are_named(program):
    target = program("def once():\n    yield from range(5)\n")
    results = capture_modes(target, output=Path("leak"), settings=QUICK)
    statuses = json.loads(Path("leak/run.json").read_text())["modes"]
    assert statuses == {
        "consume": "complete",
        "abandon": "complete",
        "cancel": "not-applicable",
        "timeout": "not-applicable",
        "error": "complete",
        "concurrent": "not-applicable",
    }
    assert results["abandon"].ended == {"abandoned": 4}
    assert [one.mode for one in read_captures(Path("leak"))] == ["consume", "abandon", "error"]


def test_an_exception_in_a_run_keeps_what_ran_before(program, capfd):
    target = program(
        """
        runs = []

        def once():
            runs.append(object())
            if len(runs) == 4:
                raise LookupError("the fourth")
        """
    )
    code, out, err = leakscan(capfd, "capture", target, "--runs", "9", "--warmup", "1")
    captured = read_capture(Path("leak"))
    assert (code, out) == (2, "")
    assert "error: program.py:once raised LookupError in run 3: the fourth" in err
    assert 'program.py", line 7, in once' in err
    assert "session.py" not in err
    assert "hint: leak keeps what was captured; missing: runs 3 to 9" in err
    assert (captured.status, captured.runs_completed, captured.after.exists()) == ("failed", 2, True)


def test_a_broken_pipe_of_the_target_is_an_exception_like_any_other(program, capfd):
    target = program("def once():\n    raise BrokenPipeError('its client left')\n")
    code, _, err = leakscan(capfd, "capture", target)
    assert code == 2
    assert "program.py:once raised BrokenPipeError in warm-up run 1: its client left" in err


def test_an_exception_in_the_warm_up_keeps_nothing(program, capfd):
    target = program("def once():\n    raise SystemExit(3)\n")
    code, _, err = leakscan(capfd, "capture", target)
    assert (code, Path("leak").exists()) == (2, False)
    assert "error: program.py:once raised SystemExit in warm-up run 1: 3" in err


def test_a_crash_names_the_signal_and_the_run(program, capfd):
    target = program(
        """
        import os, signal

        runs = []

        def once():
            runs.append(1)
            if len(runs) == 3:
                os.kill(os.getpid(), signal.SIGSEGV)
        """
    )
    code, _, err = leakscan(capfd, "capture", target, "--warmup", "0", "--runs", "5")
    captured = read_capture(Path("leak"))
    assert code == 2
    assert "error: the target's process was ended by SIGSEGV in run 3" in err
    assert captured.missing == ("runs 3 to 5", "after.heap: it stopped before the last snapshot")
    assert [census.run for census in captured.census] == [0, 1, 2]
    with pytest.raises(CaptureError, match=r"has no after\.heap"):
        _ = captured.after


def test_a_target_that_ends_the_process_is_said_to_have_done_so(program, capfd):
    code, _, err = leakscan(capfd, "capture", program("import os\n\ndef once():\n    os._exit(7)\n"))
    assert code == 2
    assert "error: the target's process ended by itself in warm-up run 1, with exit code 7" in err


def test_a_run_that_takes_too_long_is_stopped(program, capfd):
    target = program(
        """
        import threading

        runs = []

        def once():
            runs.append(1)
            if len(runs) == 3:
                threading.Event().wait()
        """
    )
    arguments = ("--warmup", "0", "--runs", "5", "--timeout", "0.5")
    code, _, err = leakscan(capfd, "capture", target, *arguments)
    captured = read_capture(Path("leak"))
    assert code == 2
    assert "error: run 3 did not end within 0.5 seconds" in err
    assert (captured.status, captured.runs_completed, captured.after.exists()) == ("failed", 2, True)


@pytest.mark.parametrize("is_async", [False, True])
def test_ctrl_c_takes_the_last_snapshot_and_says_what_is_missing(program, is_async):
    wait = "await asyncio.Event().wait()" if is_async else "threading.Event().wait()"
    target = program(
        f"""
        import asyncio, os, signal, threading

        runs = []

        {"async " if is_async else ""}def once():
            runs.append(1)
            if len(runs) == 3:
                os.kill(os.getppid(), signal.SIGINT)
                {wait}
        """
    )
    result = subprocess.run(
        [sys.executable, "-m", "leakscan", "capture", target, "--warmup", "0", "--runs", "5"],
        capture_output=True,
        check=False,
        text=True,
    )
    captured = read_capture(Path("leak"))
    assert result.returncode == 130, result.stderr
    assert "warning: missing: runs 3 to 5" in result.stderr
    assert (captured.status, captured.runs_completed, captured.after.exists()) == ("interrupted", 2, True)


def test_a_second_ctrl_c_does_not_wait_for_the_target(program):
    target = program(
        """
        import os, signal, threading

        runs = []

        def once():
            runs.append(1)
            while len(runs) == 3:
                try:
                    os.kill(os.getppid(), signal.SIGINT)
                    threading.Event().wait()
                except KeyboardInterrupt:
                    pass
        """
    )
    result = subprocess.run(
        [sys.executable, "-m", "leakscan", "capture", target, "--warmup", "0", "--runs", "5"],
        capture_output=True,
        check=False,
        text=True,
    )
    captured = read_capture(Path("leak"))
    assert (result.returncode, captured.status) == (130, "interrupted")
    assert captured.missing == ("runs 3 to 5", "after.heap: it stopped before the last snapshot")


@pytest.mark.parametrize(
    ("target", "error", "hint"),
    [
        ("program", "'program' does not name a scenario", "name a function of it: program:once"),
        ("nothing:once", "there is no module 'nothing' (target 'nothing')", "run from the project's folder"),
        ("missing.py:once", "missing.py: no such file", "give a path relative to the current folder"),
        ("program:onec", "program:onec: program has no attribute 'onec'", "did you mean once?"),
        ("program:kept", "program:kept is a list, not a callable", "name a function"),
    ],
)
def test_a_target_that_cannot_be_loaded_gets_a_hint(program, capfd, target, error, hint):
    program(LEAKS_A_BOX)
    code, out, err = leakscan(capfd, "capture", target)
    assert (code, out, Path("leak").exists()) == (2, "", False)
    assert f"error: {error}" in err
    assert f"hint: {hint}" in err


def test_an_exception_while_the_target_is_imported_shows_where(program, capfd):
    code, _, err = leakscan(capfd, "capture", program("import json\n\njson.loads('{')\n"))
    assert code == 2
    assert "error: program.py:once raised JSONDecodeError in its import:" in err
    assert 'program.py", line 3, in <module>' in err
    assert "importlib" not in err


def test_a_scenario_that_wants_arguments_says_which(program, capfd):
    code, _, err = leakscan(capfd, "capture", program("def once(client):\n    pass\n"))
    assert code == 2
    assert "error: program.py:once cannot be called without client\nhint: give it: --arg client=VALUE" in err


def test_an_existing_capture_is_not_overwritten_unasked(program, capfd):
    target = program(LEAKS_A_BOX)
    leakscan(capfd, "capture", target, "--runs", "2")
    code, _, err = leakscan(capfd, "capture", target, "--runs", "3")
    assert (code, read_capture(Path("leak")).runs) == (2, 2)
    assert err.splitlines()[1:] == [
        "error: leak already exists",
        "hint: choose another -o, or add --overwrite",
    ]
    assert leakscan(capfd, "capture", target, "--runs", "3", "--overwrite")[0] == 0
    assert read_capture(Path("leak")).runs == 3


def test_a_replaced_capture_comes_back_when_the_new_one_keeps_nothing(program, capfd):
    leakscan(capfd, "capture", program(LEAKS_A_BOX), "--runs", "2")
    code, *_ = leakscan(capfd, "capture", "program.py:nothing", "--overwrite")
    assert (code, read_capture(Path("leak")).after.exists()) == (2, True)
    assert [path.name for path in Path().iterdir() if path.name.startswith(".leak")] == []


def test_overwrite_never_removes_what_is_not_a_capture(program, capfd):
    target = program(LEAKS_A_BOX)
    Path("leak").mkdir()
    Path("leak/thesis.txt").write_text("ten years")
    code, _, err = leakscan(capfd, "capture", target, "--overwrite")
    assert (code, Path("leak/thesis.txt").read_text()) == (2, "ten years")
    assert err.splitlines()[1] == "error: leak holds no capture (no run.json): it is not overwritten"


def test_an_empty_folder_may_be_filled(program, capfd):
    Path("leak").mkdir()
    assert leakscan(capfd, "capture", program(LEAKS_A_BOX), "--runs", "2")[0] == 0


def test_arguments_that_fit_no_command_line_are_told_so(program):
    settings = Settings(arguments={"text": "a" * 200_000})
    with pytest.raises(CaptureError, match="too long for a command line"):
        capture(program(LEAKS_A_BOX), output=Path("leak"), settings=settings)
    assert not Path("leak").exists()


@pytest.mark.parametrize("python", ["/bin/true", "/no/such/python", "."])
def test_a_wrong_interpreter_gets_one_sentence(program, python):
    with pytest.raises(UnsupportedInterpreter):
        capture(program(LEAKS_A_BOX), output=Path("leak"), python=python)
    assert not Path("leak").exists()


def test_another_interpreter_needs_nothing_of_ours(program, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    captured = capture(
        program(LEAKS_A_BOX), output=Path("leak"), python=str(tmp_path / "bare"), settings=QUICK
    )
    executable = json.loads((captured.directory / "run.json").read_text())["executable"]
    assert executable == str(tmp_path / "bare" / "bin" / "python")


@pytest.mark.parametrize(
    "settings", [{"runs": 0}, {"runs": 70_000}, {"chunks": 0}, {"warmup": -1}, {"timeout_seconds": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(UsageError):
        Settings(**settings)


def test_an_unknown_mode_is_refused(program):
    with pytest.raises(UsageError):
        capture(program(LEAKS_A_BOX), output=Path("leak"), mode="explode")


def test_a_full_disk_leaves_what_was_captured_readable(program):
    target = program(
        """
        import resource

        runs = []

        def once():
            runs.append(object())
            if len(runs) == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
        """
    )
    with pytest.raises(CaptureError, match=r"cannot write the snapshot") as caught:
        capture(target, output=Path("leak"), settings=Settings(runs=5, warmup=0))
    captured = read_capture(Path("leak"))
    assert (captured.status, captured.runs_completed, captured.before.exists()) == ("failed", 2, True)
    assert "choose a folder with room for it" in caught.value.hint


def test_a_capture_that_was_killed_is_readable_and_says_so(program):
    target = program(
        """
        import os, signal

        runs = []

        def once():
            runs.append(1)
            if len(runs) == 3:
                os.kill(os.getppid(), signal.SIGKILL)
        """
    )
    result = subprocess.run(
        [sys.executable, "-m", "leakscan", "capture", target, "--warmup", "0", "--runs", "5"],
        capture_output=True,
        check=False,
    )
    captured = read_capture(Path("leak"))
    assert (result.returncode, captured.status) == (-signal.SIGKILL, "running")
    assert captured.missing == (
        "the end: the capture is still running, or was killed before it could say so",
    )
    assert captured.before.exists()
    with pytest.raises(CaptureError, match="the capture is running still, or was killed"):
        pair_in(Path("leak"))


def test_a_census_line_that_was_cut_is_left_out(program):
    capture(program(LEAKS_A_BOX), output=Path("leak"), settings=QUICK)
    lines = Path("leak/census.jsonl").read_text()
    Path("leak/census.jsonl").write_text(lines[:-20])
    kept = read_capture(Path("leak"))
    assert len(kept.control) + len(kept.census) == lines.count("\n") - 1


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": "other"}', '{"format": "leakscan-capture", "version": 1}', "[" * 100_000],
    ids=len,
)
def test_a_damaged_run_file_is_a_clear_error(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(CaptureError):
        read_capture(tmp_path)


def test_a_newer_capture_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"format": "leakscan-capture", "version": 99}')
    with pytest.raises(CaptureError, match="version 99"):
        read_capture(tmp_path)


def test_no_capture_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(CaptureError, match="is not a capture"):
        read_capture(tmp_path)


def test_redacted_snapshots_hold_no_keys(program):
    target = program("kept = {}\n\ndef once():\n    kept['password of ' + str(len(kept))] = object()\n")
    for redacted in (False, True):
        capture(target, output=Path("leak"), settings=Settings(runs=2, redact_keys=redacted), overwrite=True)
        assert (b"password of 1" in Path("leak/after.heap").read_bytes()) is not redacted


def test_processes_that_the_target_leaves_behind_are_not_waited_for(program):
    target = program(
        """
        import subprocess, sys

        def once():
            pass

        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
        with open("helper.pid", "w") as file:
            file.write(str(helper.pid))
        """
    )
    capture(target, output=Path("leak"), settings=QUICK)
    # It is still there: nobody asked us to end it.
    os.kill(int(Path("helper.pid").read_text()), signal.SIGKILL)


def test_what_is_born_before_the_runs_or_while_they_settle_is_of_no_run(program):
    source = """
        import asyncio
        import threading

        early, late, tasks = [], [], []
        has_begun = threading.Event()

        class Early:
            pass

        class Late:
            pass

        def make_early():
            while not has_begun.wait(0.001):
                early.append(Early())

        threading.Thread(target=make_early, daemon=True).start()

        async def poll():
            while True:
                await asyncio.sleep(0.05)
                late.append(Late())

        async def once():
            has_begun.set()
            if not tasks:
                tasks.append(asyncio.create_task(poll()))
    """
    settings = Settings(runs=3, warmup=0, settle_seconds=1)
    capture(program(source), output=Path("leak"), settings=settings)
    heap = load("leak/after.heap")
    births = {
        name: [heap.births[obj] for obj in range(heap.object_count) if heap.type_name(obj) == name]
        for name in ("program.Early", "program.Late")
    }
    assert BIRTH_WAITING in births["program.Early"]
    assert births["program.Late"].count(BIRTH_WAITING) > births["program.Late"].count(3)
