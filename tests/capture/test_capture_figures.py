"""What the memory figures of a census tell apart."""

from __future__ import annotations

import gc
import mmap
import os
import subprocess

import pytest

from leakscan import _native
from leakscan.record.children import child_processes
from leakscan.record.figures import memory_figures

MEGABYTES = 64 << 20
needs_glibc = pytest.mark.skipif(_native.malloc_figures() is None, reason="the C library has no mallinfo2")


def moved(name: str, make) -> int:
    """Bytes that the figure moved while the object that `make` returns was alive."""
    gc.collect()  # what earlier tests left must not go in between
    before = memory_figures()[name]
    made = make()
    after = memory_figures()[name]
    del made
    return after - before


def test_a_thread_that_ends_meanwhile_hides_no_child(monkeypatch):
    list_folder = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: ["4194305", *list_folder(path)])
    with subprocess.Popen(["sleep", "60"]) as child:
        found = child_processes()
        child.kill()
    assert found[child.pid] in ("sleep", "python", "python3")


@needs_glibc
def test_a_big_block_shows_as_mapped_by_malloc():
    assert moved("malloc_mapped_bytes", lambda: bytearray(MEGABYTES)) >= MEGABYTES


@needs_glibc
def test_a_mapping_of_its_own_does_not_pass_through_malloc():
    def written():
        memory = mmap.mmap(-1, MEGABYTES)
        memory.write(b"x" * MEGABYTES)
        return memory

    assert moved("malloc_mapped_bytes", written) < MEGABYTES // 8
    if "rss_bytes" in memory_figures():  # a system without /proc has none
        assert moved("rss_bytes", written) > MEGABYTES // 2


def test_small_objects_show_in_the_blocks_of_the_object_allocator():
    assert moved("allocated_blocks", lambda: [object() for _ in range(10_000)]) > 9_000
