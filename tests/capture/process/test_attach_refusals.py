"""What cannot be attached to is named in one sentence, in bounded time, and left as it was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from attach_targets import (
    NOTHING,
    left_in,
    needs_attach,
    needs_program,
    needs_root,
    running,
    snapshot_of,
    started,
)
from leakscan.capture.process import borrow
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.refusals import check_may_attach
from leakscan.errors import AttachError, CaptureError, LeakscanError, UnsupportedInterpreter

pytestmark = needs_attach()

WAITS = "print('ready'); sys.stdin.readline()"


def refusal(pid: int, **options: object) -> str:
    with pytest.raises(LeakscanError) as raised, Attachment(pid, **options):  # type: ignore[arg-type]
        pass
    assert raised.value.hint or "ending" in raised.value.message
    return raised.value.message.replace(str(pid), "PID")


def test_a_process_that_is_not_there():
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(CaptureError, match="there is no process"):
        Attachment(child.pid)


@needs_program("cat")
def test_a_program_that_is_not_python():
    with started(["cat"]) as target:
        assert target.ask("ready") == "ready"  # `Popen` returns before the program is mapped
        assert refusal(target.pid).startswith("process PID is not a Python process (/")


def test_a_zombie():
    with started(["true"]) as target:
        os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(LeakscanError) as raised:
            Attachment(target.pid).__enter__()
    assert raised.value.message == f"process {target.pid} has already ended"


def test_a_process_whose_main_thread_has_ended():
    program = """
        import ctypes, threading
        threading.Thread(target=sys.stdin.readline).start()
        print('ready')
        ctypes.CDLL(None).pthread_exit(None)
    """
    with running(program) as target:
        until = time.monotonic() + 30
        while target.state != "Z" and time.monotonic() < until:
            os.sched_yield()
        assert refusal(target.pid) == "the main thread of process PID has ended while others go on"


def test_a_stopped_process_stays_stopped():
    with running(WAITS) as target:
        target.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, target.pid, os.WSTOPPED)
        said, state = refusal(target.pid), target.state
        target.process.send_signal(signal.SIGCONT)
        assert (said, state) == ("process PID is stopped (SIGSTOP, or Ctrl-Z in its terminal)", "T")


def test_a_traced_process_keeps_its_tracer(tmp_path: Path):
    with running(WAITS) as target:
        traced, finish = threading.Event(), threading.Event()

        def trace() -> None:
            borrow.ptrace(borrow._SEIZE, target.pid, 0, 0)
            traced.set()
            finish.wait()

        tracer = threading.Thread(target=trace)
        tracer.start()
        traced.wait()
        said = refusal(target.pid)
        finish.set()
        tracer.join()
        assert said.startswith("process PID is already being traced by ")
        assert snapshot_of(target.pid, tmp_path / "x.heap")["dict"] > 100


def test_a_thread_of_the_kernel():
    kernel = next(
        (int(path.name) for path in Path("/proc").glob("[0-9]*") if _ppid(path) == 2), None
    )  # fmt: skip
    if kernel is None:
        pytest.skip("no thread of the kernel is to be seen here")
    assert refusal(kernel) == "process PID is a thread of the kernel"


def _ppid(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_leakscan_itself():
    assert refusal(os.getpid()) == "leakscan cannot attach to itself"


def test_a_python_that_is_too_old():
    old = Path.home() / ".pyenv/versions/3.10.13/bin/python"
    if not old.exists():
        pytest.skip("there is no older Python here")
    with running(WAITS, python=str(old)) as target:
        assert refusal(target.pid) == "process PID runs a CPython older than 3.11"


def test_an_unknown_way_in():
    with running(WAITS) as target:
        assert refusal(target.pid, via="magic") == "there is no way 'magic' into a process"


def test_a_debugger_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with running(WAITS) as target:
        assert refusal(target.pid, via="gdb") == "there is no gdb here"


def test_sys_remote_exec_needs_two_equals():
    if sys.version_info >= (3, 14):
        pytest.skip("this Python has it")
    with running(WAITS) as target, pytest.raises(UnsupportedInterpreter, match=r"from 3\.14 on"):
        Attachment(target.pid, via="remote-exec").__enter__()


def test_a_process_that_ends_meanwhile(tmp_path: Path):
    with running(WAITS) as target, Attachment(target.pid) as attached:
        target.tell()
        target.process.wait()
        with pytest.raises(AttachError, match="ended before it could be looked at"):
            attached.snapshot(tmp_path / "x.heap")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path):
    with running(WAITS) as target:
        with pytest.raises(AttachError, match="cannot write"), Attachment(target.pid) as attached:
            attached.snapshot(tmp_path / "missing" / "x.heap")
        assert left_in(target.pid) == NOTHING


@needs_root()
def test_another_users_process_is_refused():
    # In a child, because it gives up its rights for good.
    reading, writing = os.pipe()
    with running(WAITS) as target:
        child = os.fork()
        if child == 0:
            os.setresuid(65534, 65534, 65534)
            try:
                check_may_attach(target.pid)
            except AttachError as error:
                os.write(writing, error.message.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        said = os.read(reading, 4096).decode().replace(str(target.pid), "PID")
        os.close(reading)
    assert said == "process PID belongs to another user (uid 0; you are 65534)"


EMBEDDED = r"""
#include <Python.h>
#include <stdio.h>
int main(int argc, char** argv) {
    char line[80];
    if (argv[1][0] == 'b') { puts("ready"); fflush(stdout); fgets(line, 80, stdin); }
    Py_Initialize();
    PyRun_SimpleString("class Marker: pass\nkept = [Marker() for _ in range(77)]\n");
    if (argv[1][0] == 'a') Py_Finalize(); else PyEval_SaveThread();
    puts("ready"); fflush(stdout);
    fgets(line, 80, stdin);
    puts("done"); fflush(stdout);
    fgets(line, 80, stdin);
    _exit(0);
}
"""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C program with this Python inside; b: waits before it starts it, a: after it took it down."""
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "main.c").write_text(EMBEDDED)
    of = sysconfig.get_config_var
    libraries = [
        f"-lpython{of('LDVERSION') or of('VERSION')}",
        *str(of("LIBS")).split(),
        *str(of("SYSLIBS")).split(),
    ]
    folders = [f"-L{of('LIBDIR')}", f"-L{of('LIBPL')}", f"-Wl,-rpath,{of('LIBDIR')}"]
    command = ["cc", "main.c", "-o", "embedded", f"-I{sysconfig.get_paths()['include']}", *folders]
    command += ["-Wl,-export-dynamic", *libraries, "-lm", "-ldl", "-lpthread", "-lutil"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(
            f"this Python cannot be embedded: {built.stderr.splitlines()[-1] if built.stderr else '?'}"
        )
    return str(folder / "embedded")


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONHOME": sys.base_prefix}


def test_an_embedded_interpreter_is_recorded(embedded: str, environment: dict[str, str], tmp_path: Path):
    with started([embedded, "run"], env=environment) as target:
        assert target.line() == "ready"
        found = snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Marker"]
        assert (found, target.ask(), left_in(target.pid)) == (77, "done", NOTHING)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interpreter_that_does_not_run_is_left_alone(
    moment: str, embedded: str, environment: dict[str, str]
):
    with started([embedded, moment], env=environment) as target:
        assert target.line() == "ready"
        said = refusal(target.pid)
        target.tell()
        assert said == "Python is not running yet, or no longer, in process PID"
        assert (target.line(), left_in(target.pid)) == ({"before": "ready", "after": "done"}[moment], NOTHING)


def test_a_process_without_descriptors_is_refused_for_that():
    program = """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True: os.dup(1)
        except OSError: print("ready")
        while line := sys.stdin.readline(): print("on")
    """
    with running(program) as target:
        assert refusal(target.pid) == (
            "process PID has 64 of 64 file descriptors in use; an attach needs 4 for a moment"
        )
        assert target.ask() == "on"


@needs_root()
def test_a_process_that_may_start_no_thread_is_refused_for_that():
    program = """
        import resource
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        print("ready")
        while line := sys.stdin.readline(): print("on")
    """
    with running(program) as target:
        said = re.sub(r"has \d+", "has N", refusal(target.pid))
        assert said == (
            "process PID may start no thread: its user (uid 65534) has N of 1 processes and threads"
            " (ulimit -u); an attach needs 2 for a moment"
        )
        assert target.ask() == "on"


IN_SMALL_PLACES = (
    "mount -t tmpfs -o {0} none /tmp && mount -t tmpfs -o {1} none /var/tmp"
    " && mount -t tmpfs -o noexec none /dev/shm && "
)


@needs_root()
@needs_program("unshare")
@pytest.mark.parametrize(
    ("places", "environment"),
    [
        (("size=64k", "size=8m"), {}),
        (("size=64k", "size=64k"), {"TMPDIR": "/mnt"}),
        (("ro", "noexec"), {"TMPDIR": "/mnt"}),
    ],
)
def test_a_place_without_room_is_passed_over_for_the_next(
    places: tuple[str, str], environment: dict[str, str], tmp_path: Path
):
    program = "class Marker: pass\nkept = [Marker() for _ in range(55)]\nprint('ready')\ninput()"
    mounts = IN_SMALL_PLACES.format(*places) + "mount -t tmpfs none /mnt && "
    command = ["unshare", "-m", "sh", "-c", mounts + 'exec "$0" -u -c "$1"', sys.executable, program]
    with started(command, env={**os.environ, **environment}) as target:
        if target.line() != "ready":
            pytest.skip("no file system can be mounted here")
        assert snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Marker"] == 55
        assert not list(Path(f"/proc/{target.pid}/root/mnt").iterdir())
        assert not list(Path(f"/proc/{target.pid}/root/tmp").iterdir())
