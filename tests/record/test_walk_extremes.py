"""Heaps that break walkers: deep, wide, hostile, busy. LEAKSCAN_FULL=1 takes them at full size."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import leakscan
from asked import FULL
from leakscan.heap.kinds import ObjectFlag
from leakscan.record.snapshot import record
from walks import Kind, walk


def size(full: int, small: int) -> int:
    chosen = full if FULL else small
    print(f"size {chosen} of {full}" + ("" if FULL else "; LEAKSCAN_FULL=1 for all of it"))
    return chosen


def run(script: str, folder: Path) -> str:
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_long_linked_list_needs_no_recursion(tmp_path: Path) -> None:
    length = size(10_000_000, 300_000)
    run(
        f"""
        import gc, os
        gc.disable()
        from leakscan.record.snapshot import record
        chain = None
        for _ in range({length}):
            chain = [chain]
        record("now.heap")
        os._exit(0)  # freeing the chain is not what is tested
        """,
        tmp_path,
    )
    heap = leakscan.load(tmp_path / "now.heap")
    lists = [row for row, name in enumerate(heap.type_names) if name == "list"]
    assert int((heap.type_ids == lists[0]).sum()) >= length


def test_a_wide_dict_has_every_entry(tmp_path: Path) -> None:
    entries = size(5_000_000, 200_000)
    address = int(
        run(
            f"""
            from leakscan.record.snapshot import record
            wide = {{str(i): [] for i in range({entries})}}
            record("now.heap")
            print(id(wide))
            """,
            tmp_path,
        )
    )
    heap = leakscan.load(tmp_path / "now.heap", columns=["addresses", "first_ref"])
    row = heap.addresses.tolist().index(address)
    assert int(heap.first_ref[row + 1] - heap.first_ref[row]) == 2 * entries + 1


def test_threads_that_mutate_do_not_disturb_a_snapshot(tmp_path: Path) -> None:
    threads, snapshots = size(64, 4), size(500, 3)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)  # or each turn of each thread takes 5 ms
    stop = threading.Event()

    def churn(number: int) -> None:
        mine: dict[object, object] = {}
        step = 0
        while not stop.is_set():
            step += 1
            mine[step % 97] = [step, {"number": number}, str(step)]
            mine.pop((step * 7) % 97, None)

    started = [threading.Thread(target=churn, args=(n,), name=f"churn {n}") for n in range(threads)]
    for thread in started:
        thread.start()
    try:
        unreadable, mains = 0, set()
        for _ in range(snapshots):
            record(tmp_path / "now.heap")
            heap = leakscan.load(tmp_path / "now.heap", columns=["flags", "roots"])
            unreadable += int(((heap.flags & ObjectFlag.UNREADABLE) != 0).sum())
            mains.add(sum(heap.root_label(r).startswith("thread 'churn") for r in range(len(heap.roots))))
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in started:
            thread.join()
    assert (unreadable, mains) == (0, {threads})


def test_deep_recursion_of_running_frames_is_walked() -> None:
    def dive(depth: int) -> int:
        marker = [depth]
        if depth:
            return dive(depth - 1) + len(marker)
        here = walk()
        names = [here.heap.name_of(row) for row in range(here.heap.object_count) if here.heap.flags[row] & 16]
        return sum(name is not None and name.endswith("dive") for name in names) * 1000

    assert dive(400) // 1000 == 401


HOSTILE = """
    from leakscan.record.snapshot import record
    import leakscan

    def loud(*_):
        raise SystemExit("asked")

    class Meta(type):
        __getattribute__ = __repr__ = __instancecheck__ = __subclasscheck__ = loud
        __hash__ = type.__hash__
        __eq__ = loud

    class Hostile(metaclass=Meta):
        __getattribute__ = __repr__ = __str__ = __eq__ = __sizeof__ = __dir__ = __bool__ = __len__ = loud
        __iter__ = __getattr__ = __format__ = __index__ = loud
        def __hash__(self):
            return 7

    class Proxy:
        @property
        def __class__(self):
            raise SystemExit("asked for the class")

    class LyingName(str):
        __slots__ = ()
        __len__ = __iter__ = __getitem__ = __eq__ = loud
        __hash__ = str.__hash__

    class Odd(dict):
        __getitem__ = __iter__ = keys = values = items = get = __len__ = loud

    class Finalized:
        def __del__(self):
            pass

    kept = [Hostile(), Proxy(), Odd(a=[1]), Finalized(), type("a.b\\x1b[31m\\n" * 300, (), {})()]
    keyed = {kept[0]: 1, LyingName("k"): [2]}
    ugly = {"\\ud800 lone": 1, "\\x00nul": 2, "": 3, "\\u202e bidi": 4}
    ugly.update({10**50: 5, -3: 6, True: 7, 2.5: 8, None: 9})
    ids = [id(thing) for thing in kept] + [id(keyed), id(ugly)]
    record("now.heap")
    print(*ids)
"""


def test_objects_that_raise_when_asked_are_not_asked(tmp_path: Path) -> None:
    addresses = [int(word) for word in run(HOSTILE, tmp_path).split()]
    heap = leakscan.load(tmp_path / "now.heap")
    rows = {int(address): row for row, address in enumerate(heap.addresses)}
    names = [heap.type_name(rows[address]).split(".")[-1][:12] for address in addresses[:4]]
    assert names == ["Hostile", "Proxy", "Odd", "Finalized"]
    ugly = rows[addresses[-1]]
    keys = [heap.label(ref) for ref in heap.references(ugly) if heap.kind(ref) is Kind.KEY]
    assert keys == ["? lone", "\x00nul", "", "\u202e bidi", "<int>", "-3", "1", "<float>", "<NoneType>"]


def test_an_object_only_the_allocator_knows_is_found(tmp_path: Path) -> None:
    addresses = run(
        """
        import ctypes
        from leakscan.record import births
        from leakscan.record.snapshot import record
        births.arm(runs=5)
        births.begin_run(1)
        lost = bytes(300)
        address = id(lost)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))
        del lost
        births.begin_run(2)
        kept = [object()]
        births.begin_own()
        record("now.heap", run=2)
        print(address, id(kept))
        """,
        tmp_path,
    ).split()
    heap = leakscan.load(tmp_path / "now.heap")
    lost, kept = (heap.addresses.tolist().index(int(address)) for address in addresses)
    found = bool(int(heap.flags[lost]) & ObjectFlag.UNREACHED_BLOCK)
    assert (found, int(heap.births[lost]), int(heap.births[kept]), heap.type_name(lost)) == (
        True,
        1,
        2,
        "bytes",
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_the_child_needs_at_most_32_bytes_for_each_object(tmp_path: Path) -> None:
    objects, peak = run(
        """
        import os, resource
        from leakscan import _native
        heap = [[i, {"k": str(i)}] for i in range(250_000)]
        read_end, write_end = os.pipe()
        pid = _native.snapshot_start(write_end, b'{"runtime": "cpython"}', "/nowhere", 0)
        os.close(write_end)
        # what the child has of its own: private pages it wrote, beyond what fork shared
        total = own = 0
        while data := os.read(read_end, 1 << 20):
            total += len(data)
            try:
                for line in open(f"/proc/{pid}/smaps_rollup"):
                    if line.startswith("Private_Dirty:"):
                        own = max(own, int(line.split()[1]) * 1024)
            except OSError:
                pass
        _native.snapshot_wait(pid, -1.0)
        print(3 * 250_000, own)
        """,
        tmp_path,
    ).split()
    fixed = 10_000_000  # buffers and small tables, whatever the heap
    assert int(peak) - fixed <= 32 * int(objects)
