"""The memory figures against slow twins: CPython's own report of its pools, and smaps read line by line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan import _native

needs_maps = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="no /proc/self/smaps here")
needs_pools = pytest.mark.skipif(
    os.environ.get("PYTHONMALLOC", "pymalloc") not in ("pymalloc", "default"),
    reason="PYTHONMALLOC has objects come from malloc: there are no pools",
)


POOLS = """
import sys, tempfile
from leakscan.heap.types_only import load_census
from leakscan.record.snapshot import record

holes = [bytes(size) for size in range(1, 500) for _ in range(200)]
del holes[::3]
kept = [[number] for number in range(50_000)]
del kept[::7]
with tempfile.TemporaryDirectory() as folder:
    record(folder + "/census.heap", census=True)
    memory = load_census(folder + "/census.heap").memory
print(memory["pool_used_bytes"], memory["pool_resident_bytes"], memory["pools"])
sys.stdout.flush()
sys._debugmallocstats()
"""


@needs_maps
@needs_pools
def test_pools_found_in_memory_are_those_that_the_interpreter_counts():
    done = subprocess.run(
        [sys.executable, "-c", POOLS], capture_output=True, text=True, check=True, env={**os.environ}
    )
    used, resident, pools = (int(word) for word in done.stdout.split())
    told = re.search(r"# bytes in allocated blocks\s*=\s*([\d,]+)", done.stderr)
    # What the program itself allocates between the two counts.
    assert abs(used - int(told[1].replace(",", ""))) < 200_000
    in_use = sum(int(row.split()[2].replace(",", "")) for row in _class_rows(done.stderr))
    assert 0 <= pools - in_use < in_use / 4  # and those that are free for any size
    assert used <= resident <= pools * 16384


def _class_rows(report: str) -> list[str]:
    table = report.partition("-----")[2].partition("# arenas")[0]
    return [row for row in table.splitlines() if re.fullmatch(r"(\s*[\d,]+){5}", row)]


BLOCKS = """
import gc, sys, tempfile
from leakscan.heap.types_only import load_census
from leakscan.record.snapshot import record

def memory():
    gc.collect()
    record(folder + "/census.heap", census=True)
    return load_census(folder + "/census.heap").memory

with tempfile.TemporaryDirectory() as folder:
    memory()  # what the first one imports and caches
    before = memory()
    kept = [
        *([number] for number in range(20_000)),
        {str(n): float(n) for n in range(20_000)},
        b"x" * 3_000_000,
    ]
    after = memory()
names = "pool_used_bytes", "object_block_bytes"
in_malloc = 8 * len(kept) + kept[20_000].__sizeof__() + 3_000_033
print(*(after[name] - before[name] for name in names), in_malloc)
"""


@needs_maps
@needs_pools
def test_blocks_of_objects_are_what_the_allocators_spend_on_them():
    # In a process of its own: what an earlier test leaves may go between the two counts.
    done = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True)
    used, grown, in_malloc = (int(word) for word in done.stdout.split())
    assert in_malloc > 3_500_000
    assert abs(grown - used - in_malloc) < 0.03 * grown


def smaps_totals(text: str) -> dict[str, int]:
    """The slow twin: every mapping as a dict of its fields."""
    areas: list[dict[str, object]] = []
    for line in text.splitlines():
        words = line.split(None, 5)
        if words[0].endswith(":"):
            areas[-1][words[0][:-1]] = int(words[1]) * 1024 if words[-1] == "kB" else 0
            continue
        start, end = (int(part, 16) for part in words[0].split("-"))
        areas.append({"size": end - start, "path": words[5] if len(words) == 6 else "", "inode": words[4]})
    resident = lambda chosen: sum(area["Rss"] + area["Swap"] for area in chosen)  # noqa: E731
    of_file = [area for area in areas if area["inode"] != "0" or area["path"] == "[vdso]"]
    return {
        "rss_bytes": sum(area["Rss"] for area in areas),
        "uss_bytes": sum(area["Private_Clean"] + area["Private_Dirty"] for area in areas),
        "main_heap_bytes": resident([area for area in areas if area["path"] == "[heap]"]),
        "file_bytes": resident(of_file),
        "regions": len(areas),
    }


@needs_maps
def test_mappings_add_up_as_smaps_says():
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        found = _native.map_figures(child.pid)
        told = smaps_totals(Path(f"/proc/{child.pid}/smaps").read_text())
        child.communicate()
    assert {name: found[name] for name in told} == told
    kinds = ("main_heap_bytes", "arena_heap_bytes", "stack_bytes", "file_bytes", "shared_bytes")
    parts = sum(found[name] for name in (*kinds, "other_anonymous_bytes"))
    assert parts == found["rss_bytes"] + found["swap_bytes"]


@needs_maps
def test_a_process_that_is_gone_has_no_mappings():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    with pytest.raises(OSError):
        _native.map_figures(child.pid)


@needs_maps
def test_memory_that_a_thread_has_from_malloc_is_in_its_arena():
    if _native.malloc_figures() is None:
        pytest.skip("glibc does not serve malloc here")
    program = """
import ctypes, threading
from leakscan import _native
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def allocate():
    for _ in range(1000):
        ctypes.memset(ctypes.c_void_p(libc.malloc(2000)), 1, 2000)
def figures():
    used, _, _, main = _native.malloc_figures()
    return used - main, _native.map_figures(0)["arena_heap_bytes"]
before = figures()
thread = threading.Thread(target=allocate)
thread.start()
thread.join()
after = figures()
print(after[0] - before[0], after[1] - before[1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    in_use, resident = (int(word) for word in done.stdout.split())
    assert 2_000_000 <= in_use <= resident <= 2_500_000


STACK = """
import threading
from leakscan import _native

started, release = threading.Event(), threading.Event()

def waits():
    started.set()
    release.wait()

before = _native.map_figures(0)
thread = threading.Thread(target=waits)
thread.start()
started.wait()
after = _native.map_figures(0)
release.set()
thread.join()
print(after["stack_bytes"] > before["stack_bytes"])
"""


@needs_maps
def test_the_stack_of_a_thread_is_a_stack():
    # In a process of its own: the C library hands stacks of threads that have ended to new ones.
    done = subprocess.run([sys.executable, "-c", STACK], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


PRELOADED = """
from leakscan import _native
from leakscan.record.figures import allocator, memory_figures
print(allocator(), "malloc_used_bytes" in memory_figures(), _native.malloc_trim())
"""


@pytest.mark.parametrize("name", ["libjemalloc.so.2", "libmimalloc.so.2", "libtcmalloc_minimal.so.4"])
def test_figures_of_an_allocator_that_nobody_uses_are_not_given(name):
    folder = Path(os.environ.get("LEAKSCAN_ALLOCATORS", "/usr/lib"))
    found = sorted(folder.glob(f"*/{name}*"))
    if not found:
        pytest.skip(f"{name} is neither in /usr/lib nor in LEAKSCAN_ALLOCATORS")
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED],
        env={**os.environ, "LD_PRELOAD": str(found[0])},
        capture_output=True,
        text=True,
        check=True,
    )
    said, has_figures, trimmed = done.stdout.split()
    assert (name.partition(".")[0] in said, has_figures, trimmed) == (True, "False", "None")


def test_glibc_is_recognised_where_it_serves_malloc():
    if _native.malloc_figures() is None:
        pytest.skip("glibc does not serve malloc here")
    done = subprocess.run([sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == ["glibc", "True"]
