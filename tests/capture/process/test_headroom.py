"""How much memory is left, and what is done when it is not enough."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attach_targets import needs_attach, needs_root, running, snapshot_of, types_in
from leakscan import _native
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.headroom import Room, room_of, rss_of
from leakscan.errors import NoRoom

GIB = 1 << 30
MIB = 1 << 20


def drawn_proc(folder: Path, files: dict[str, str]) -> Path:
    """A /proc with a machine of 64 GiB, of which 32 are free, and the given files."""
    usual = {
        "proc/meminfo": "MemTotal: 67108864 kB\nMemAvailable: 33554432 kB\n",
        "proc/7/status": "VmSize: 1048576 kB\nVmData: 524288 kB\n",
        "proc/7/limits": "",
    }
    for name, text in {**usual, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "proc"


def second_version(folder: Path, path: str = "/pod/app", root: str = "/") -> dict[str, str]:
    return {
        "proc/7/cgroup": f"0::{path}\n",
        "proc/self/mountinfo": f"30 1 0:26 {root} {folder}/cg rw - cgroup2 cgroup2 rw\n",
    }


def test_a_process_without_limits_has_what_the_machine_has(tmp_path: Path):
    assert room_of(7, proc=drawn_proc(tmp_path, {})) == Room(32 * GIB, 64 * GIB, "this machine")


def test_the_limit_of_its_cgroup_is_the_narrowest(tmp_path: Path):
    files = {
        **second_version(tmp_path),
        "cg/pod/app/memory.current": f"{200 * MIB}",
        "cg/pod/app/memory.max": f"{256 * MIB}",
    }
    assert room_of(7, proc=drawn_proc(tmp_path, files)) == Room(
        56 * MIB, 256 * MIB, "its memory cgroup (memory.max)"
    )


def test_the_limit_of_a_cgroup_above_counts_too(tmp_path: Path):
    files = {
        **second_version(tmp_path),
        "cg/pod/app/memory.current": f"{200 * MIB}",
        "cg/pod/app/memory.max": "max",
        "cg/pod/memory.current": f"{500 * MIB}",
        "cg/pod/memory.max": f"{512 * MIB}",
    }
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and found.room_bytes == 12 * MIB


def test_being_slowed_down_counts_as_a_limit(tmp_path: Path):
    files = {
        **second_version(tmp_path),
        "cg/pod/app/memory.current": f"{200 * MIB}",
        "cg/pod/app/memory.max": f"{400 * MIB}",
        "cg/pod/app/memory.high": f"{210 * MIB}",
    }
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and (found.room_bytes, found.limit) == (
        10 * MIB,
        "its memory cgroup (memory.high)",
    )


def test_clean_pages_of_files_are_room(tmp_path: Path):
    stat = f"inactive_file {40 * MIB}\nactive_file {20 * MIB}\nfile_dirty {5 * MIB}\nfile_mapped {10 * MIB}\n"
    files = {
        **second_version(tmp_path),
        "cg/pod/app/memory.current": f"{250 * MIB}",
        "cg/pod/app/memory.max": f"{256 * MIB}",
        "cg/pod/app/memory.stat": stat,
    }
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and found.room_bytes == (6 + 45) * MIB


def test_where_the_whole_group_is_killed_half_of_the_room_is_safe(tmp_path: Path):
    files = {
        **second_version(tmp_path),
        "cg/pod/app/memory.current": f"{200 * MIB}",
        "cg/pod/app/memory.max": f"{256 * MIB}",
        "cg/pod/app/memory.oom.group": "1\n",
    }
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and (found.room_bytes, found.safe_bytes) == (56 * MIB, 28 * MIB)


def test_the_first_version_of_cgroups_is_read_too(tmp_path: Path):
    files = {
        "proc/7/cgroup": "4:memory:/docker/abc\n0::/\n",
        "proc/self/mountinfo": f"31 1 0:27 /docker/abc {tmp_path}/mem rw - cgroup cgroup rw,memory\n",
        "mem/memory.usage_in_bytes": f"{240 * MIB}",
        "mem/memory.limit_in_bytes": f"{260 * MIB}",
        "mem/memory.stat": f"total_inactive_file {4 * MIB}\n",
    }
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and found.room_bytes == 24 * MIB


def test_a_limit_on_address_space_leaves_half_of_what_is_left(tmp_path: Path):
    files = {"proc/7/limits": f"Max address space         {GIB}   {3 * GIB}   bytes\n"}
    found = room_of(7, proc=drawn_proc(tmp_path, files))
    assert found is not None and (found.room_bytes, found.limit) == (GIB, "its hard `ulimit -v`")


def test_a_cgroup_outside_of_what_is_seen_is_no_failure(tmp_path: Path):
    files = second_version(tmp_path, path="/../elsewhere")
    assert room_of(7, proc=drawn_proc(tmp_path, files)) == Room(32 * GIB, 64 * GIB, "this machine")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux chooses whom to kill")
def test_the_recording_child_is_the_first_that_the_kernel_takes():
    reader, writer = os.pipe()
    meta = json.dumps({"format": "leakscan"}).encode()
    child = _native.snapshot_start(writer, meta, "", 0)
    os.close(writer)
    try:
        # It has written something, so it has begun; nobody reads on, so it is still there.
        os.read(reader, 16)
        assert Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n"
        assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"
    finally:
        os.close(reader)
        _native.snapshot_wait(child, 60.0)


@contextlib.contextmanager
def limited() -> Iterator[tuple[Path, str]]:
    """A memory cgroup of its own: its folder, and the name of the file with the limit."""
    first = Path("/sys/fs/cgroup/memory")
    top, limit = (
        (first, "memory.limit_in_bytes") if first.is_dir() else (Path("/sys/fs/cgroup"), "memory.max")
    )
    folder = top / f"leakscan-test-{os.getpid()}"
    try:
        folder.mkdir()
        if not (folder / limit).exists():
            folder.rmdir()
            pytest.skip("no memory cgroup can be made here")
    except OSError:
        pytest.skip("no memory cgroup can be made here")
    try:
        yield folder, limit
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


MANY = """
    group = os.environ.get("GROUP")
    with open(group + "/cgroup.procs" if group else os.devnull, "w") as f:
        f.write(str(os.getpid()))
    class Rec:
        __slots__ = ("a", "b")
        def __init__(s, i): s.a = "r%d" % i; s.b = (i,)
    kept = [Rec(i) for i in range(400000)]
    print("ready")
    while line := sys.stdin.readline(): print("on")
"""


@needs_root()
@needs_attach()
def test_a_process_at_its_limit_is_refused_with_figures_and_lives(tmp_path: Path):
    with limited() as (folder, limit), running(MANY, env={**os.environ, "GROUP": str(folder)}) as target:
        (folder / limit).write_text(str(int((folder / usage(limit)).read_text()) + 7 * MIB))
        with pytest.raises(NoRoom, match=r"left in its memory cgroup .* blocks need about"):
            snapshot_of(target.pid, tmp_path / "x.heap")
        assert target.ask() == "on"


@needs_root()
@needs_attach()
def test_there_is_a_snapshot_where_sixteen_bytes_an_object_are_left(tmp_path: Path):
    with limited() as (folder, limit), running(MANY, env={**os.environ, "GROUP": str(folder)}) as target:
        objects = 4 * 400000
        (folder / limit).write_text(str(rss_of(target.pid) + 16 * objects + 20 * MIB))
        assert snapshot_of(target.pid, tmp_path / "x.heap")["__main__.Rec"] == 400000
        assert target.ask() == "on"


@needs_root()
@needs_attach()
def test_there_is_a_snapshot_and_a_warning_where_a_tenth_is_left(tmp_path: Path):
    with limited() as (folder, limit), running(MANY, env={**os.environ, "GROUP": str(folder)}) as target:
        (folder / limit).write_text(str(rss_of(target.pid) // 10 * 11 + 12 * MIB))
        with Attachment(target.pid) as attached:
            taken = attached.snapshot(tmp_path / "x.heap")
        assert target.ask() == "on"
    assert any("memory was short" in warning for warning in taken.warnings)
    assert types_in(tmp_path / "x.heap")["__main__.Rec"] == 400000


WRITES = MANY.replace(
    'print("ready")',
    """
    import threading
    def write():
        while True:
            for each in kept: a, b = each.a, each.b
    threading.Thread(target=write, daemon=True).start()
    print("ready")""",
)
LONG_SECONDS = 60.0
"""That the program may stand still, on a machine with a tenth of a core for it."""


@needs_root()
@needs_attach()
def test_a_program_that_writes_all_of_its_memory_stands_still_for_its_snapshot(tmp_path: Path):
    with limited() as (folder, limit), running(WRITES, env={**os.environ, "GROUP": str(folder)}) as target:

        def leave_room() -> None:
            (folder / limit).write_text(str(int((folder / usage(limit)).read_text()) + 13 * MIB))

        leave_room()
        for seconds in (0, 0.001):  # never, or for too short a time
            with (
                Attachment(target.pid, hold_seconds=seconds) as attached,
                pytest.raises(NoRoom, match=r"broken off|is left"),
            ):
                attached.snapshot(tmp_path / "x.heap")
        leave_room()
        with Attachment(target.pid, hold_seconds=LONG_SECONDS) as attached:
            taken = attached.snapshot(tmp_path / "x.heap")
        assert target.ask() == "on"
    assert any("stood still" in warning for warning in taken.warnings)
    assert taken.pause_seconds < LONG_SECONDS
    assert types_in(tmp_path / "x.heap")["__main__.Rec"] == 400000


@needs_root()
@needs_attach()
def test_a_snapshot_is_broken_off_when_the_room_goes_meanwhile(tmp_path: Path):
    with limited() as (folder, limit), running(MANY, env={**os.environ, "GROUP": str(folder)}) as target:
        (folder / limit).write_text(str(rss_of(target.pid) + 200 * MIB))
        with Attachment(target.pid) as attached:
            checked = attached._check_room_is_left

            def narrow() -> None:
                (folder / limit).write_text(str(int((folder / usage(limit)).read_text()) + 2 * MIB))
                checked()

            attached._check_room_is_left = narrow  # type: ignore[method-assign]  # the moment it goes
            with pytest.raises(NoRoom, match="broken off"):
                attached.snapshot(tmp_path / "x.heap")
        assert target.ask() == "on"
    assert not list(tmp_path.iterdir())


def usage(limit: str) -> str:
    return "memory.usage_in_bytes" if limit.endswith("in_bytes") else "memory.current"


@needs_attach()
def test_looking_at_a_process_gives_it_no_page_of_its_own(tmp_path: Path):
    """Reading another process's pages through the kernel while a child shares them would copy each one."""
    if os.geteuid():
        pytest.skip("page frames are shown to root only")
    with running(MANY) as target:
        before = frames(target.pid)
        snapshot_of(target.pid, tmp_path / "x.heap")
        after = frames(target.pid)
    moved = sum(before[page] != after.get(page) for page in before)
    assert moved < len(before) // 20


def frames(pid: int) -> dict[int, int]:
    """The page frame of each present page of anonymous memory."""
    import struct

    found = {}
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split()
            start, end = (int(word, 16) // 4096 for word in words[0].split("-"))
            if words[1] != "rw-p" or len(words) > 5:
                continue
            pagemap.seek(start * 8)
            for page, (entry,) in enumerate(struct.iter_unpack("<Q", pagemap.read((end - start) * 8)), start):
                if entry >> 63:
                    found[page] = entry & ((1 << 55) - 1)
    return found


def test_the_size_that_a_process_has_is_read_without_touching_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert rss_of(process.pid) > 0
        process.kill()
        process.wait()
    assert rss_of(process.pid) == 0


@needs_attach()
def test_a_process_that_ends_right_after_its_snapshot_has_been_recorded(tmp_path: Path):
    from leakscan.capture.process.attached import AttachedCapture

    with running("print('ready'); sys.stdin.readline()") as target, Attachment(target.pid) as attached:
        capture = AttachedCapture(tmp_path / "leak", attached, overwrite=False)
        taken = attached.snapshot(tmp_path / "leak/next.heap")
        target.process.kill()
        target.process.wait()
        capture._add(taken, redact_keys=False)
        assert (tmp_path / "leak/before.heap").exists()


@needs_root()
@needs_attach()
def test_programs_near_their_limit_that_write_all_of_their_memory_live_on():
    with limited():
        pass  # skips where no memory cgroup can be made
    tool = Path(__file__).parents[3] / "tools/attach_near_limit.py"
    command = [sys.executable, str(tool), "--attaches", "10", "--most-room", "3"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, json.loads(result.stdout)["others"]) == (0, []), result.stdout
