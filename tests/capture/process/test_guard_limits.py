"""The guard reads the same limits as its twin in Python, from hierarchies of both versions that are drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from leakscan import _native
from leakscan.capture.process.headroom import Room, room_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="guards work on Linux only")
MIB = 1 << 20
MACHINE = "MemTotal: 67108864 kB\nMemAvailable: 33554432 kB\n"


def v2(path: str, root: str, **folders: dict[str, object]) -> dict[str, str]:
    """Cgroups of version 2; `pod__app` is the folder pod/app."""
    files = {"proc/self/cgroup": f"0::{path}\n", "mount": f"{root} cg cgroup2 rw"}
    return files | _files("cg", folders)


def v1(path: str, root: str, **folders: dict[str, object]) -> dict[str, str]:
    files = {
        "proc/self/cgroup": f"7:cpu:/x\n4:memory:{path}\n0::/\n",
        "mount": f"{root} mem cgroup rw,memory",
    }
    return files | _files("mem", folders)


def _files(top: str, folders: dict[str, dict[str, object]]) -> dict[str, str]:
    return {
        f"{top}/{folder.replace('__', '/').removesuffix('top')}/{name}": f"{value}\n"
        for folder, figures in folders.items()
        for name, value in figures.items()
    }


def at(used_mib: int, limit: object, **more: object) -> dict[str, object]:
    return {"memory.current": used_mib * MIB, "memory.max": limit} | {
        f"memory.{name.replace('__', '.')}": value for name, value in more.items()
    }


def at_v1(used_mib: int, limit: object, stat: str = "") -> dict[str, object]:
    return {"memory.usage_in_bytes": used_mib * MIB, "memory.limit_in_bytes": limit, "memory.stat": stat}


CASES = {
    "no limit": v2("/pod/app", "/", pod__app=at(10, "max")),
    "its own": v2("/pod/app", "/", pod__app=at(200, 256 * MIB)),
    "one above": v2("/pod/app", "/", pod__app=at(200, "max"), pod=at(300, 320 * MIB)),
    "the narrowest of two": v2("/pod/app", "/", pod__app=at(200, 210 * MIB), pod=at(300, 320 * MIB)),
    "at the top of a container": v2("/", "/", top=at(90, 100 * MIB)),
    "high": v2("/a", "/", a=at(90, 200 * MIB, high=100 * MIB)),
    "clean pages": v2(
        "/a", "/",
        a=at(90, 100 * MIB, stat=f"inactive_file {9 * MIB}\nactive_file {4 * MIB}\nfile_dirty {3 * MIB}"),
    ),
    "the whole group is killed": v2("/a", "/", a=at(90, 100 * MIB, oom__group=1)),
    "a mounted part": v2("/kube/pod/app", "/kube/pod", app=at(50, 60 * MIB)),
    "a path that leads out": v2("/../other", "/", top=at(50, 60 * MIB)),
    "a path that is not seen": v2("/gone/away", "/", top=at(50, 60 * MIB)),
    "version 1": v1("/docker/abc", "/", docker__abc=at_v1(240, 260 * MIB, f"total_inactive_file {4 * MIB}")),
    "version 1 in a container": v1("/docker/abc", "/docker/abc", top=at_v1(240, 260 * MIB)),
    "version 1 without a limit": v1("/a", "/", a=at_v1(240, 9223372036854771712)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_both_twins_read_the_same(case: str, tmp_path: Path):
    files = dict(CASES[case])
    root, top, rest = files.pop("mount").split(" ", 2)
    files["proc/self/mountinfo"] = f"30 1 0:26 {root} {tmp_path}/{top} rw - {rest.replace(' ', ' x ', 1)}\n"
    files["proc/meminfo"] = MACHINE
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "proc/7").symlink_to(tmp_path / "proc/self")
    read = _native.guard_room(str(tmp_path / "proc"))
    twin = room_of(7, proc=tmp_path / "proc")
    assert read is not None
    assert twin is not None
    name, limit, room, kills_group = read
    assert Room(room, limit, twin.limit, kills_group) == twin
    # The guard takes the lower one of both for one limit of the cgroup.
    assert name.replace("this machine", "machine") in twin.limit or "memory.high" in twin.limit


def test_what_is_no_proc_tells_of_no_limit(tmp_path: Path):
    assert _native.guard_room(str(tmp_path)) is None
