"""A system call filter may end a program for what an attach does in it: it is asked first."""

from __future__ import annotations

import os
import struct
import textwrap
from pathlib import Path

import pytest

from attach_targets import needs_attach, needs_root, running, snapshot_of
from leakscan.capture.process import filters
from leakscan.errors import AttachError

pytestmark = [needs_attach(), needs_root()]

KILL, ERRNO, TRAP, USER = 0x80000000, 0x00050001, 0x00030000, 0x7FC00000
FORKS = (56, 57, 58, 435)

FILTERED = """
    import ctypes, struct, threading
    def instruction(code, yes, no, k): return struct.pack("HBBI", code, yes, no, k)
    def allow_all_but(calls, action):
        text = instruction(0x20, 0, 0, 0)
        for i, call in enumerate(calls): text += instruction(0x15, len(calls) - i, 0, call)
        text += instruction(6, 0, 0, 0x7fff0000) + instruction(6, 0, 0, action)
        kept = ctypes.create_string_buffer(text)
        program = struct.pack("HxxxxxxQ", len(text) // 8, ctypes.addressof(kept))
        libc = ctypes.CDLL(None)
        libc.prctl(38, 1, 0, 0, 0)
        assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0
    class Marker: pass
    kept = [Marker() for _ in range(77)]
"""
END = """
    print("ready")
    while line := sys.stdin.readline(): print("on")
"""


def program_with(calls: tuple[int, ...], action: int) -> str:
    return textwrap.dedent(FILTERED) + f"allow_all_but({calls!r}, {action})\n" + textwrap.dedent(END)


@pytest.mark.parametrize("action", [KILL, TRAP, USER])
def test_a_program_that_would_be_ended_for_a_child_is_left_alone_and_lives(action: int, tmp_path: Path):
    with running(program_with(FORKS, action)) as target:
        with pytest.raises(AttachError, match="makes the call clone, which an attach needs"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


@pytest.mark.parametrize("call", [334, 157, 302, 9])
def test_any_other_call_of_an_attach_is_asked_for_too(call: int, tmp_path: Path):
    with running(program_with((call,), KILL)) as target:
        with pytest.raises(AttachError, match="which an attach needs"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.state in "RS"


def test_a_filter_that_lets_no_thread_start_is_told_at_once(tmp_path: Path):
    with running(program_with(FORKS, ERRNO)) as target:
        with pytest.raises(AttachError, match="lets it start no thread"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


def test_a_filter_about_other_things_does_not_matter(tmp_path: Path):
    with running(program_with((41, 165), KILL)) as target:
        assert snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Marker"] == 77
        assert target.ask() == "on"


def test_a_filter_that_knows_the_new_call_as_missing_does_not_matter(tmp_path: Path):
    """What Docker's does: the C library then makes the old one."""
    with running(program_with((435,), 0x00050000 | 38)) as target:
        assert snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Marker"] == 77


def test_the_strictest_of_several_filters_counts(tmp_path: Path):
    program = program_with((41,), KILL).replace("print(", f"allow_all_but({FORKS!r}, {KILL})\nprint(", 1)
    with running(program) as target:
        with pytest.raises(AttachError, match="makes the call clone"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


def test_the_filter_of_one_thread_alone_counts(tmp_path: Path):
    program = textwrap.dedent(FILTERED) + textwrap.dedent(
        f"""
        def work(): allow_all_but({FORKS!r}, {KILL}); done.set(); threading.Event().wait()
        done = threading.Event(); threading.Thread(target=work, daemon=True).start(); done.wait()
        print("ready")
        while line := sys.stdin.readline(): print("on")
        """
    )
    with running(program) as target:
        with pytest.raises(AttachError, match="makes the call clone"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


def test_a_filter_that_cannot_be_read_is_no_reason_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Any user but root is told by the kernel that he may not."""

    def refused(request: int, thread: int, address: int, argument: int) -> int:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(filters, "ptrace", refused)
    with running(program_with((41,), KILL)) as target:
        with pytest.raises(AttachError, match="cannot be read"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


def answer(*program: tuple[int, int, int, int], call: int = 56, arguments: tuple[int, ...] = ()) -> int:
    return filters._answer(program, call, arguments)


def test_a_filter_is_run_as_the_kernel_runs_it():
    allow, kill = (6, 0, 0, 0x7FFF0000), (6, 0, 0, 0x80000000)
    number, low, high = (0x20, 0, 0, 0), (0x20, 0, 0, 16), (0x20, 0, 0, 20)
    assert answer(number, (0x15, 0, 1, 56), allow, kill) == 0x7FFF0000
    assert answer(number, (0x25, 0, 1, 56), allow, kill) == 0x80000000
    assert answer(number, (0x35, 0, 1, 56), allow, kill) == 0x7FFF0000
    assert answer((0x20, 0, 0, 4), (0x15, 0, 1, 0xC000003E), allow, kill) == 0x7FFF0000
    assert answer(low, (0x45, 0, 1, 0x100), allow, kill, arguments=(0x100,)) == 0x7FFF0000
    assert answer(high, (0x15, 0, 1, 7), allow, kill, arguments=(7 << 32,)) == 0x7FFF0000
    assert answer(low, (0x54, 0, 0, 0xF0), (0x15, 0, 1, 0x30), allow, kill, arguments=(0x3F,)) == 0x7FFF0000
    assert answer((0x05, 0, 0, 1), kill, allow) == 0x7FFF0000
    assert answer((0x05, 0, 0, 9), kill, allow) == -1
    assert answer((0x00, 0, 0, 5), (0x02, 0, 0, 3), (0x61, 0, 0, 3), (0x87, 0, 0, 0), (0x16, 0, 0, 0)) == 0
    assert struct.calcsize("<iIQ6Q") == 64
