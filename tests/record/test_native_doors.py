"""Every function of the extension module survives every call: it answers or raises, and never faults."""

from __future__ import annotations

import errno
import os
import random
import resource
import struct
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from asked import FULL
from doors import DOORS, doors
from leakscan import _native

CALLS = 20_000 if FULL else 2_000


def test_every_door_has_a_good_call_to_damage() -> None:
    assert sorted(DOORS) == doors()


@pytest.mark.parametrize("seed", range(6))
def test_hostile_calls_raise_and_never_crash(seed: int, tmp_path: Path) -> None:
    trace = tmp_path / "call"
    script = Path(__file__).parents[1] / "doors.py"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script), str(seed), str(CALLS)],
        env=os.environ | {"DOORS_TRACE": str(trace), "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    last = trace.read_text() if trace.exists() else "before the first call"
    # A damaged call may write its snapshot to stderr: only what a sanitizer says there counts.
    faults = [line for line in done.stderr.splitlines() if b"Sanitizer" in line or b"runtime error" in line]
    assert (done.returncode, faults) == (0, []), f"in {last}"


def test_a_group_of_processes_cannot_be_waited_for_and_is_not_killed() -> None:
    # In a session of its own: without the check the number 0 would end the whole group.
    code = """
import subprocess, sys
from leakscan import _native
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
try:
    _native.snapshot_wait(0, 0.0)
except ValueError as error:
    print(error, child.poll())
child.communicate(b"x")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], start_new_session=True, capture_output=True, text=True, check=False
    )
    assert done.stdout == "snapshot_wait: 0 is not the number of a process None\n"


def test_a_process_that_is_not_a_child_is_lost_and_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        code = f"from leakscan import _native; print(_native.snapshot_wait({stranger.pid}, 0.0))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.stdout, stranger.poll()) == (f"('lost', {errno.ECHILD})\n", None)
        stranger.communicate(b"x")


def test_more_chunks_than_fit_in_memory_are_a_memory_error(tmp_path: Path) -> None:
    """A file of headers alone: their table is larger than the file."""
    header = bytearray(struct.pack("<4s16sBBHIIQQ", b"CHNK", b"obj.addr", 4, 0, 0, 0, 0, 0, 0))
    with (tmp_path / "headers.heap").open("wb") as file:
        file.write(b"LEAKSCAN\1\0\0\0\0\0\0\0")
        for number in range(200_000):
            struct.pack_into("<I", header, 28, number)
            file.write(header)
        size = file.tell()
    with (tmp_path / "headers.heap").open("rb") as file:
        child = os.fork()
        if child == 0:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), resource.RLIM_INFINITY))
            try:
                _native.scan_chunks(file.fileno(), size)
            except MemoryError:
                os._exit(7)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_closed_descriptor_cannot_take_a_snapshot() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert _native.snapshot_wait(_native.snapshot_start(writer, b"{}", "", 0), 30.0) == (
        "write-error",
        errno.EBADF,
    )


def test_good_calls_are_answered() -> None:
    script = Path(__file__).parents[1] / "doors.py"
    done = subprocess.run(
        [sys.executable, str(script), "good"], capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stderr[-2000:]) == (0, "")


def test_random_calls_are_the_same_for_the_same_seed() -> None:
    from doors import Graph

    graphs = [Graph(random.Random(3)) for _ in range(2)]
    assert graphs[0].first == graphs[1].first and graphs[0].targets == graphs[1].targets


def test_an_output_in_the_memory_of_what_is_read_is_refused() -> None:
    first, classes, sizes = array("Q", [0, 1, 2]), array("B", [1, 3]), array("Q", [8, 8])
    targets = array("I", [1, 0])
    with pytest.raises(ValueError, match="owners: overlaps targets"):
        _native.v8_move_sizes(first, array("B", [0, 0]), targets, classes, targets, sizes)
    numbers = array("Q", [1, 2, 3])
    with pytest.raises(ValueError, match="out_first: overlaps counts"):
        _native.prefix_sum(memoryview(numbers).cast("B").cast("I")[:2], numbers)
