"""A guarded process leaves a capture behind before its memory runs out, and nothing where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import leakscan
from attach_targets import Program, needs_attach, running, started
from cli_runs import CommandLine, command  # noqa: F401  # a fixture
from leakscan.capture.directory.guarded import box_to_tell, boxes_in, read_box
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.process.attach import Attachment
from leakscan.errors import AttachError, CaptureError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="guards work on Linux only")
SOAK = Path(__file__).parents[3] / "tools" / "guard_soak.py"
LIMIT_BYTES = 500_000_000 if "SANITIZED" in os.environ else 150_000_000
"""Of a program that leaks up to it. A sanitizer takes a hundred megabytes of its own."""
LEAK = """
import os, sys, time
class Session:
    def __init__(self, number): self.number, self.text = number, "session %d" % number
HELD = {}
def leak(folder, bytes_each=400, pace=20_000_000):
    begun = time.monotonic()
    while not any(os.path.exists(os.path.join(folder, box, "after.heap")) for box in os.listdir(folder)):
        due = int((time.monotonic() - begun) * pace / bytes_each)
        if due > len(HELD):
            for number in range(len(HELD), min(due, len(HELD) + 5_000)): HELD[number] = Session(number)
        else:
            time.sleep(0.005)
        assert len(HELD) < 3_000_000, "no snapshot was taken"
"""


def leakscan_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "leakscan", *arguments]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    (tmp_path / "boxes").mkdir()
    return tmp_path / "boxes"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(words), check=False, capture_output=True, text=True, timeout=300)


def leak_by_itself(boxes: Path) -> subprocess.CompletedProcess[str]:
    """A program that guards itself, leaks up to its snapshot, and ends."""
    guarded = f"import leakscan\nleakscan.guard(sys.argv[1], limit_bytes={LIMIT_BYTES})\nleak(sys.argv[1])"
    return run(sys.executable, "-c", LEAK + guarded, str(boxes))


def test_a_guarded_command_leaves_a_capture_that_names_the_holder(boxes: Path, tmp_path: Path):
    handed = tmp_path / "handed"
    then = ("--then", f'cp "$LEAKSCAN_CAPSULE" {handed}.new; mv {handed}.new {handed}')
    guarded = leakscan_command(
        "guard", "-o", str(boxes), "--limit", str(LIMIT_BYTES), "--baseline", "0s", *then, "--"
    )
    result = run(*guarded, sys.executable, "-c", LEAK + "leak(sys.argv[1])", str(boxes))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    until = time.monotonic() + 120
    while not handed.exists():
        assert time.monotonic() < until, (boxes / "guard.log").read_text()
        time.sleep(0.05)
    assert json.loads(handed.read_text())["findings"][0]["leaks"][0]["holder"]["label"] == "__main__.HELD"
    leak = leakscan.diff(boxes).findings.leaks[0]
    assert leak.holder is not None
    assert (leak.holder.label, leak.type_name) == ("__main__.HELD", "__main__.Session")


def test_a_program_guards_itself(boxes: Path):
    result = leak_by_itself(boxes)
    assert (result.returncode, result.stderr) == (0, "")
    [box] = boxes_in(boxes)
    capture = read_capture(box)
    assert capture.status == "complete"
    assert capture.runs_completed > 0
    leak = leakscan.diff(box).findings.leaks[0]
    assert leak.holder is not None
    assert leak.holder.label == "__main__.HELD"


STROKE = """
import leakscan
KEPT = [("kept", number, str(number)) for number in range(300_000)]
used = int(open("/proc/self/statm").read().split()[1]) * 4096
leakscan.guard(sys.argv[1], limit_bytes=used + 100_000_000)
def here(name):
    return any(os.path.exists(os.path.join(sys.argv[1], box, name)) for box in os.listdir(sys.argv[1]))
while not here("before.heap"): time.sleep(0.01)
time.sleep(0.5)
BLOCKS = []
while not here("after.heap") and len(BLOCKS) < 200:
    BLOCKS.append(bytearray(b"x" * 1_000_000))
    time.sleep(0.001)
"""


@pytest.mark.skipif("SANITIZED" in os.environ, reason="a sanitizer takes the memory that is measured here")
def test_what_takes_all_that_is_left_in_one_stroke_stands_still_for_its_snapshot(boxes: Path):
    subprocess.run([sys.executable, "-c", LEAK + STROKE, str(boxes)], check=True, timeout=300)
    box = boxes_in(boxes)[-1]
    taken = [json.loads(line) for line in (box / "guard.jsonl").open()]
    # Where the stroke was slow enough it need not stand still.
    assert all(line["pause_seconds"] < 0.25 + 1 for line in taken if line.get("held")), taken
    holder = leakscan.diff(box).findings.leaks[0].holder
    assert holder is not None and holder.label == "__main__.BLOCKS"


def test_births_of_a_box_are_told_as_intervals(boxes: Path):
    assert leak_by_itself(boxes).returncode == 0
    findings = leakscan.diff(boxes).findings
    [leak] = [each for each in findings.leaks if each.type_name == "__main__.Session"]
    assert findings.unit == "interval"
    assert len(leak.births) == findings.runs
    assert all(leak.births[:-1])  # the last snapshot may follow right upon the one before


def test_the_program_stands_still_for_the_fork_and_hardly_longer(boxes: Path):
    """Where there is room it does not wait for the child to run: milliseconds on a busy machine."""
    assert leak_by_itself(boxes).returncode == 0
    [box] = boxes_in(boxes)
    lines = [json.loads(line) for line in (box / "guard.jsonl").read_text().splitlines()]
    taken = [line for line in lines if line["event"] == "snapshot"]
    assert taken[0]["ready_seconds"] < 0.0005
    assert min(line["pause_seconds"] - line["fork_seconds"] - line["ready_seconds"] for line in taken) < 0.005


def test_only_one_guard_runs_in_a_process(boxes: Path):
    program = "import sys, leakscan; leakscan.guard(sys.argv[1]); leakscan.guard(sys.argv[1])"
    result = run(sys.executable, "-c", program, str(boxes))
    assert result.returncode == 1
    assert "RecordError: a guard already runs in this process" in result.stderr


def test_a_folder_that_cannot_be_written_is_a_plain_error(tmp_path: Path, command: CommandLine):  # noqa: F811
    (tmp_path / "file").write_text("")
    code, out, err = command("guard", "-o", str(tmp_path / "file"), "--", "true")
    assert (code, out) == (2, "")
    assert "error: cannot write" in err


def test_a_command_that_is_not_there_is_a_plain_error(tmp_path: Path, command: CommandLine):  # noqa: F811
    code, out, err = command("guard", "-o", str(tmp_path / "boxes"), "--", "no-such-command-here")
    assert (code, out) == (2, "")
    assert "error: cannot start no-such-command-here: No such file or directory" in err


def test_programs_that_are_no_python_run_as_ever(boxes: Path):
    guarded = leakscan_command("guard", "-o", str(boxes), "--baseline", "0s", "--")
    result = run(*guarded, "sh", "-c", "echo said; exit 7")
    assert (result.returncode, result.stdout, result.stderr) == (7, "said\n", "")
    assert list(boxes.iterdir()) == []


@pytest.fixture
def idle(boxes: Path) -> Iterator[Program]:
    """A guarded program that has its baseline and does nothing."""
    program = """
import os, sys, time, leakscan
folder = sys.argv[1]
leakscan.guard(folder)
def has(name): return any(name in os.listdir(f"{folder}/{box}") for box in os.listdir(folder))
while not has("before.heap"): time.sleep(0.01)
def fail():
    try: b"x" * 10**15
    except MemoryError: pass
def rest_in_child():
    if os.fork(): return
    while sum("before.heap" in os.listdir(f"{folder}/{b}") for b in os.listdir(folder)) < 2: time.sleep(0.01)
    print("child has one", flush=True)
    os._exit(0)
print("ready")
for line in sys.stdin: exec(line)
"""
    with started([sys.executable, "-u", "-c", program, str(boxes)]) as target:
        assert target.line() == "ready"
        yield target


def test_a_process_that_never_comes_near_a_limit_leaves_its_baseline_alone(
    idle: Program,
    boxes: Path,
    command: CommandLine,  # noqa: F811
):
    [box] = boxes_in(boxes)
    assert sorted(os.listdir(box)) == ["before.heap", "guard.jsonl"]
    code, _, err = command("diff", str(boxes))
    assert code == 2
    assert "has no after.heap: no limit was near" in err


def test_a_worker_that_is_forked_has_a_box_of_its_own(idle: Program, boxes: Path):
    assert idle.ask("rest_in_child()") == "child has one"
    first, second = map(read_box, boxes_in(boxes))
    assert first.pid == idle.pid
    assert second.pid != idle.pid
    assert (first.has_births, second.has_births) == (True, True)


def test_the_guards_thread_rests(idle: Program):
    """Looks at a limit are some 30 microseconds, five times a second."""
    threads = Path(f"/proc/{idle.pid}/task")
    [guard] = [each for each in threads.iterdir() if (each / "comm").read_text() == "leakscan-guard\n"]

    def used_ticks() -> int:
        fields = (guard / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used_ticks()
    assert idle.ask("time.sleep(4); print('slept')") == "slept"
    assert used_ticks() - before <= 4


def can_make_cgroups() -> str:
    """ "" when this process may limit the memory of another one."""
    first = Path("/sys/fs/cgroup/memory")
    folder = (first if first.is_dir() else Path("/sys/fs/cgroup")) / f"leakscan-try-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if first.is_dir() else "memory.max")).write_text("100000000")
    except OSError as error:
        return f"no memory cgroup can be made here: {error}"
    finally:
        if folder.is_dir():
            folder.rmdir()
    return ""


@pytest.mark.skipif(bool(can_make_cgroups()), reason=can_make_cgroups() or "cgroups can be made")
def test_a_program_that_the_kernel_kills_has_left_its_answer(tmp_path: Path):
    result = subprocess.run(
        [sys.executable, str(SOAK), "--deaths", "1", "--first", "3", "--slack", "0.1"],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    told = json.loads(result.stdout)
    assert (told["right"], told["earlier_than_the_twin"]) == (1, []), result.stderr


def drawn_box(folder: Path, *lines: object, name: str = "box-7-1000") -> Path:
    box = folder / name
    box.mkdir(parents=True)
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (box / "guard.jsonl").write_text(text)
    return box


STARTED = {"event": "started", "time_unix": 1000.5, "pid": 7, "python": "3.12.1", "command": "python app.py "}


def test_a_line_that_a_kill_cut_is_no_line(tmp_path: Path):
    box = read_box(drawn_box(tmp_path, STARTED, '{"event": "snap'))
    assert (box.pid, box.command, box.before, box.after) == (7, "python app.py", None, None)


@pytest.mark.parametrize(
    "line", ["no json\n", "[1]\n", '{"event": "snapshot"}\n', "[" * 100_000 + "\n"], ids=len
)
def test_damaged_lines_are_refused(tmp_path: Path, line: str):
    with pytest.raises(CaptureError, match="is damaged"):
        read_box(drawn_box(tmp_path, line))


def test_values_of_another_kind_read_as_nothing(tmp_path: Path):
    box = drawn_box(
        tmp_path,
        {**STARTED, "pid": "seven", "command": 3, "time_unix": None},
        {"event": "snapshot", "file": "before.heap", "interval": "x", "resident_bytes": [1, "2", 3]},
    )
    (box / "before.heap").write_bytes(b"")
    read = read_box(box)
    assert read.before is not None
    assert (read.pid, read.command, read.before.interval, read.before.resident_bytes) == (0, "", 0, (1, 3))


def test_a_snapshot_that_was_refused_says_why(tmp_path: Path):
    refused = {"event": "refused", "file": "after.heap", "reason": "too little memory is left"}
    figures = {"needed_bytes": 30_000_000, "room_bytes": 5_000_000, "limit_bytes": 100_000_000}
    broken = {"event": "failed", "file": "after.heap", "status": "broken-off"}
    capture = read_capture(drawn_box(tmp_path, STARTED, {**refused, **figures}, broken))
    assert capture.missing[-2:] == (
        "after.heap: too little memory is left: it needs about 30.0 MB, 5.00 MB of 100 MB were left",
        "after.heap: broken off before memory ran out",
    )


def test_the_last_box_with_both_snapshots_is_told(tmp_path: Path):
    earlier = drawn_box(tmp_path, {**STARTED, "time_unix": 5.0}, name="box-9-5")
    drawn_box(tmp_path, {**STARTED, "time_unix": 50.0}, name="box-7-50")
    for name in ("before.heap", "after.heap"):
        (earlier / name).write_bytes(b"")
    assert [box.name for box in boxes_in(tmp_path)] == ["box-9-5", "box-7-50"]
    assert box_to_tell(boxes_in(tmp_path)) == earlier


SERVICE = """
import time
class Session: pass
HELD = {}
def has(folder, name): return any(name in os.listdir(f"{folder}/{box}") for box in os.listdir(folder))
def wait_for(folder, name):
    while not has(folder, name): time.sleep(0.01)
    return name
def leak(folder):
    while not has(folder, "after.heap"):
        for _ in range(3_000): HELD[len(HELD)] = Session()
        time.sleep(0.01)
    return "leaked"
print('ready')
for line in sys.stdin: print(eval(line))
"""


@pytest.mark.parametrize(
    "handler", ["", "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"]
)
def test_a_snapshot_is_taken_on_sigterm(boxes: Path, handler: str):
    program = (
        f"import os, sys, time, leakscan\n{handler}folder = sys.argv[1]\n"
        "leakscan.guard(folder, term_seconds=60)\n"
        "def has(name): return any(name in os.listdir(f'{folder}/{box}') for box in os.listdir(folder))\n"
        "while not has('before.heap'): time.sleep(0.01)\n"
        "held = [object() for _ in range(1000)]\n"
        "time.sleep(0.5)\n"
        "try:\n"
        "  print('ready', flush=True)\n"
        "  time.sleep(300)\n"
        "finally:\n"
        "  while not has('after.heap'): time.sleep(0.01)\n"
    )
    with started([sys.executable, "-c", program, str(boxes)]) as target:
        assert target.line() == "ready"
        target.process.terminate()
        assert target.process.wait(timeout=120) == (3 if handler else -15)
    [box] = boxes_in(boxes)
    after = read_box(box).after
    assert after is not None
    assert after.reason == "SIGTERM"


def test_what_is_told_of_a_snapshot_is_of_the_one_that_is_there(tmp_path: Path):
    rows = [{"event": "snapshot", "file": "after.heap", "bytes": size, "interval": size} for size in (3, 5)]
    box = drawn_box(tmp_path, STARTED, *(f"{json.dumps(row)}\n" for row in rows))
    assert read_box(box).after is None
    (box / "after.heap").write_bytes(b"old")
    assert read_box(box).after.interval == 3
    (box / "after.heap").write_bytes(b"newer")
    assert read_box(box).after.interval == 5


def test_a_snapshot_is_taken_when_the_allocator_has_no_memory(idle: Program, boxes: Path):
    idle.tell("fail()")
    idle.tell("[time.sleep(0.01) for _ in iter(lambda: has('after.heap'), True)]")
    assert idle.ask("print('has it')") == "has it"
    after = read_box(boxes_in(boxes)[0]).after
    assert after is not None
    assert after.reason == "an allocation failed"


@needs_attach()
def test_a_guard_stays_in_a_process_that_was_attached_to(boxes: Path):
    with running(SERVICE) as target:
        with Attachment(target.pid) as attachment:
            attachment.guard(boxes, "limit=120000000 baseline=0")
        target.ask(f"wait_for({str(boxes)!r}, 'before.heap')")
        assert target.ask(f"leak({str(boxes)!r})") == "leaked"
    leak = leakscan.diff(boxes).findings.leaks[0]
    assert leak.holder is not None
    assert (leak.holder.label, all(leak.births[:-1])) == ("__main__.HELD", True)


@needs_attach()
def test_a_guarded_process_can_be_attached_to_and_its_births_stay_the_guards(boxes: Path, tmp_path: Path):
    with running(SERVICE) as target:
        with Attachment(target.pid) as attachment:
            attachment.guard(boxes, "baseline=0")
        target.ask(f"wait_for({str(boxes)!r}, 'before.heap')")
        with Attachment(target.pid) as attachment:
            assert not attachment.is_armed
            taken = attachment.snapshot(tmp_path / "now.heap")
            with pytest.raises(AttachError, match="a guard counts them for its box"):
                attachment.arm()
    assert not taken.is_armed
    assert not leakscan.load(tmp_path / "now.heap").has_births


@needs_attach()
def test_attach_leaves_one_guard_and_says_so(
    boxes: Path,
    command: CommandLine,  # noqa: F811
):
    with running(SERVICE) as target:
        said = command("attach", str(target.pid), "--guard", "-o", str(boxes))
        again = command("attach", str(target.pid), "--guard", "-o", str(boxes))
    assert said == (0, f"process {target.pid} is guarded: its box will be in {boxes}\n", "")
    assert again[:2] == (2, "")
    assert "cannot be guarded: a guard runs there already" in again[2]


def test_a_baseline_that_could_not_be_written_gives_its_memory_back_and_is_begun_anew(boxes: Path):
    program = """
import os, resource, signal, sys, time, leakscan
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, (soft, hard) = sys.argv[1], resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
leakscan.guard(folder)
def journal():
    boxes = [os.path.join(folder, box, "guard.jsonl") for box in os.listdir(folder)]
    return "".join(open(path).read() for path in boxes if os.path.exists(path))
while '"failed"' not in journal(): time.sleep(0.01)
while "births-forgotten" not in journal(): time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
while '"snapshot"' not in journal(): time.sleep(0.01)
"""
    result = run(sys.executable, "-c", program, str(boxes))
    assert result.returncode == 0, result.stderr
    assert read_box(boxes_in(boxes)[0]).has_births
