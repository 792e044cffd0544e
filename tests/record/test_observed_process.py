"""A snapshot changes nothing in the process it is taken of."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import leakscan
from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record.snapshot import record, record_to

META = b'{"runtime": "cpython"}'


class Point:
    def __init__(self) -> None:
        self.x, self.y = [1], [2]


def walk_to_nowhere(descriptor: int) -> tuple[str, int]:
    """The native part alone: what it changes is the recorder's doing, not json's or open's."""
    return _native.snapshot_wait(_native.snapshot_start(descriptor, META, "/nowhere", 0), -1.0)


def run(script: str, folder: Path) -> str:
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)


def test_the_collector_counts_as_before(nowhere: int) -> None:
    walk_to_nowhere(nowhere)
    gc.collect()
    before = gc.get_count()
    status = walk_to_nowhere(nowhere)
    after = gc.get_count()
    # the tuples that the two calls return are two new objects at most
    assert (status, after[1:], after[0] - before[0] <= 4) == (("ok", 0), before[1:], True)


def test_no_block_is_allocated_for_good(nowhere: int) -> None:
    gc.collect()  # what earlier tests left must not go in between; the first walks fill the free lists again
    for _ in range(3):
        walk_to_nowhere(nowhere)
    before = sys.getallocatedblocks()
    for _ in range(20):
        walk_to_nowhere(nowhere)
    assert abs(sys.getallocatedblocks() - before) <= 2


def test_no_dict_is_materialised(nowhere: int) -> None:
    points = [Point() for _ in range(1000)]
    gc.collect()
    before = sum(type(thing) is dict for thing in gc.get_objects()), sys.getsizeof(points[0])
    walk_to_nowhere(nowhere)
    after = sum(type(thing) is dict for thing in gc.get_objects()), sys.getsizeof(points[0])
    assert after == before


def test_no_object_changes_generation_or_count(nowhere: int) -> None:
    point = Point()
    gc.collect()
    gc.disable()
    try:
        before = [len(gc.get_objects(generation=g)) for g in (1, 2)], sys.getrefcount(point)
        walk_to_nowhere(nowhere)
        after = [len(gc.get_objects(generation=g)) for g in (1, 2)], sys.getrefcount(point)
        assert after == before
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_resident_memory_moves_by_less_than_a_hundredth(tmp_path: Path) -> None:
    script = """
        import gc, os
        from leakscan.record.snapshot import record
        heap = [{"key": i, "value": [i]} for i in range(100_000)]
        def resident():
            return int(open("/proc/self/statm").read().split()[1])
        record("warm-up.heap")
        gc.collect()
        before = resident()
        record("now.heap")
        print(abs(resident() - before) * 100 < before)
    """
    result = run(script, tmp_path)
    assert result == "True\n"


def test_the_program_does_not_see_the_child(tmp_path: Path) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
    try:
        record(tmp_path / "now.heap")
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        assert seen == []
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_fork_hooks_of_the_program_do_not_run(tmp_path: Path) -> None:
    script = """
        import os
        from leakscan.record.snapshot import record
        os.register_at_fork(before=lambda: print("before"), after_in_child=lambda: print("child"))
        record("now.heap")
    """
    result = run(script, tmp_path)
    assert result == ""


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full, pytest.raises(OSError, match="No space left"):
        record_to(full.fileno())


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot write the snapshot"):
        leakscan.snapshot(tmp_path / "no" / "folder.heap")


def test_a_reader_that_goes_away_ends_the_child_only() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        with pytest.raises(BrokenPipeError):
            record_to(write_end)
    finally:
        os.close(write_end)


def test_a_snapshot_through_a_pipe_is_whole(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    received: list[bytes] = []

    def drain() -> None:
        with open(read_end, "rb") as stream:
            received.append(stream.read())

    reader = threading.Thread(target=drain)
    reader.start()
    record_to(write_end)
    os.close(write_end)
    reader.join()
    path = tmp_path / "from-the-pipe.heap"
    path.write_bytes(received[0])
    assert leakscan.load(path).object_count > 1000


def test_a_late_child_is_ended() -> None:
    read_end, write_end = os.pipe()
    try:
        pid = _native.snapshot_start(write_end, META, "/nowhere", 0)
        assert _native.snapshot_wait(pid, 0.05) == ("timeout", 0)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_crash_inside_one_object_costs_that_object_only(tmp_path: Path) -> None:
    script = """
        import ctypes, gc
        from leakscan.record.snapshot import record
        gc.disable()  # the collector would meet the broken list too
        class Victim: pass
        victim, healthy = Victim(), Victim()
        broken = [victim, healthy]
        words = (ctypes.c_uint64 * 5).from_address(id(broken))
        items = words[3]
        words[3] = 0xDEAD000  # its array of items is nowhere
        record("now.heap")
        words[3] = items
        print(id(broken), id(healthy))
    """
    result = run(script, tmp_path)
    heap = leakscan.load(tmp_path / "now.heap")
    broken, healthy = (heap.addresses.tolist().index(int(word)) for word in result.split())
    assert (int(heap.flags[broken]) & 32, int(heap.flags[healthy]) & 32, heap.warnings) == (
        32,
        0,
        ("some objects could not be read: their references are missing",),
    )


def test_attributes_that_lie_are_never_asked(tmp_path: Path) -> None:
    asked: list[str] = []

    class Hostile:
        def __getattribute__(self, name: str) -> object:
            asked.append(name)
            raise RuntimeError(name)

        def __repr__(self) -> str:
            asked.append("repr")
            raise RuntimeError

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            asked.append("eq")
            raise RuntimeError

        def __sizeof__(self) -> int:
            asked.append("sizeof")
            raise RuntimeError

    hostile = Hostile()
    keyed = {hostile: 1}
    asked.clear()
    record(tmp_path / "now.heap")
    assert (asked, len(keyed)) == ([], 1)
