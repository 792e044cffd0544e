"""Whatever a program waits in: it is recorded and goes on, or it is refused for the true reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from attach_targets import needs_attach, running, snapshot_of, status
from leakscan.capture.process.refusals import check_may_attach
from leakscan.capture.process.waits import what_threads_do
from leakscan.errors import AttachError

pytestmark = needs_attach()

MARKERS = "class Marker: pass\nkept = [Marker() for _ in range(234)]\n"
WAITS = {
    "a lock on a file": """
        import fcntl
        mine = open(place + "/lock", "w"); fcntl.flock(mine, fcntl.LOCK_EX)
        if (child := os.fork()) == 0:
            sys.stdin.readline(); mine.close(); os._exit(0)
        os.close(mine.fileno())
        print("ready"); other = open(place + "/lock", "w"); fcntl.flock(other, fcntl.LOCK_EX); print("on")
    """,
    "a record lock": """
        import fcntl
        mine = open(place + "/lock", "w"); held, told = os.pipe()
        if (child := os.fork()) == 0:
            fcntl.lockf(mine, fcntl.LOCK_EX); os.write(told, b"x"); sys.stdin.readline(); os._exit(0)
        os.read(held, 1)
        print("ready"); fcntl.lockf(mine, fcntl.LOCK_EX); print("on")
    """,
    "a full pipe": """
        out, into = os.pipe()
        if os.fork() == 0:
            sys.stdin.readline(); rest = 300000
            while rest: rest -= len(os.read(out, rest))
            os._exit(0)
        print("ready"); sent = 0
        while sent < 300000: sent += os.write(into, b"x" * (300000 - sent))
        print("on")
    """,
    "several pieces for a full pipe": """
        out, into = os.pipe()
        if os.fork() == 0:
            sys.stdin.readline(); rest = 300000
            while rest: rest -= len(os.read(out, rest))
            os._exit(0)
        print("ready"); sent = 0
        while sent < 300000: sent += os.writev(into, [b"x" * (300000 - sent)])
        print("on")
    """,
    "a slow client": """
        import socket
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            sys.stdin.readline(); rest = 900000
            while rest: rest -= len(theirs.recv(rest))
            os._exit(0)
        print("ready"); ours.sendall(b"x" * 900000); print("on")
    """,
    "a message to a slow client": """
        import socket
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            sys.stdin.readline(); rest = 900000
            while rest: rest -= len(theirs.recv(rest))
            os._exit(0)
        print("ready"); sent = 0
        while sent < 900000: sent += ours.sendmsg([b"x" * (900000 - sent)])
        print("on")
    """,
    "the other end of a FIFO": """
        os.mkfifo(place + "/fifo")
        if os.fork() == 0:
            sys.stdin.readline(); open(place + "/fifo", "w").close(); os._exit(0)
        print("ready"); open(place + "/fifo").close(); print("on")
    """,
    "the other end of a FIFO beside it": """
        os.chdir(place); os.mkfifo("fifo")
        if os.fork() == 0:
            sys.stdin.readline(); open("fifo", "w").close(); os._exit(0)
        print("ready"); open("fifo").close(); print("on")
    """,
    "an eventfd": """
        event = os.eventfd(0)
        if os.fork() == 0:
            sys.stdin.readline(); os.eventfd_write(event, 1); os._exit(0)
        print("ready"); os.eventfd_read(event); print("on")
    """,
}


@pytest.mark.parametrize("wait", WAITS)
def test_a_thread_that_waits_is_borrowed_and_goes_on_waiting(wait: str, tmp_path: Path):
    with running(f"place = {str(tmp_path)!r}\n" + MARKERS + dedented(WAITS[wait])) as target:
        until_it_waits(target.pid)
        assert snapshot_of(target.pid, tmp_path / "x.heap", timeout_seconds=20)["__main__.Marker"] == 234
        assert target.ask() == "on"


def test_a_thread_that_computes_in_a_library_is_borrowed(tmp_path: Path):
    pytest.importorskip("numpy")
    program = (
        MARKERS
        + """
import numpy as np
import select
a = np.random.rand(700, 700)
print("ready")
while not select.select([0], [], [], 0)[0]: s = (a @ a).sum()
print(f"{s:.6e} {(np.random.rand(3, 3) >= 0).all()}"); sys.stdin.readline()
"""
    )
    with running(program) as target:
        assert snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Marker"] == 234
        assert target.ask("enough").endswith("True")


SEMAPHORE = """
import ctypes
libc = ctypes.CDLL(None)
wanted = libc.semget(0, 1, 0o600)
class Operation(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("op", ctypes.c_short), ("flag", ctypes.c_short)]
print(wanted); print("ready")
libc.semop(wanted, ctypes.byref(Operation(0, -1, 0)), 1)
print("on")
"""


def test_a_refusal_names_the_call_that_every_thread_waits_in(tmp_path: Path):
    """Interrupted, semop() would give up: whoever called it would see that leakscan was there."""
    with running(SEMAPHORE.replace("print(wanted); ", "")) as target:
        until_it_waits(target.pid)
        with pytest.raises(AttachError, match=r"of its thread 1 waits in sem(timed)?op"):
            snapshot_of(target.pid, tmp_path / "x.heap", timeout_seconds=0.5)
        assert target.state == "S"


def test_what_a_process_does_that_has_ended_is_said_too():
    assert what_threads_do(2**22 + 1) == "it has ended"


def until_it_waits(pid: int) -> None:
    """Until the program sleeps in the kernel: it said `ready` a moment before."""
    until = time.monotonic() + 30
    while status(pid)["State"][0] != "S" and time.monotonic() < until:
        os.sched_yield()
    check_may_attach(pid)


def dedented(text: str) -> str:
    import textwrap

    return textwrap.dedent(text)
