"""Memory figures of this process, from the kernel and the interpreter. Bytes; absent when unknown."""

from __future__ import annotations

import gc
import sys

from leakscan import _native

_ROLLUP = {
    "Rss": "rss_bytes",
    "Pss": "pss_bytes",
    "Anonymous": "anonymous_bytes",
    "Pss_File": "pss_file_bytes",
    "Private_Clean": "private_clean_bytes",
    "Private_Dirty": "private_dirty_bytes",
    "Swap": "swap_bytes",
}


def memory_figures() -> dict[str, int]:
    """What the process holds now. `uss_bytes` is the part that no other process shares."""
    figures = {"allocated_blocks": sys.getallocatedblocks()}
    malloc = _native.malloc_figures()
    if malloc is not None:
        figures["malloc_used_bytes"], figures["malloc_free_bytes"], figures["malloc_mapped_bytes"] = malloc
    try:
        with open("/proc/self/smaps_rollup", "rb") as rollup:
            lines = rollup.read().decode("ascii", "replace").splitlines()
    except OSError:  # macOS, or a kernel or container without it
        lines = []
    for line in lines:
        name, _, rest = line.partition(":")
        field = _ROLLUP.get(name)
        if field is not None:
            figures[field] = int(rest.split()[0]) * 1024
    if "private_clean_bytes" in figures:
        figures["uss_bytes"] = figures["private_clean_bytes"] + figures["private_dirty_bytes"]
    return figures


def heap_in_use() -> tuple[int, int]:
    """Blocks of the object allocator, and bytes that the C library has handed out (0: unknown)."""
    malloc = _native.malloc_figures()
    return sys.getallocatedblocks(), 0 if malloc is None else malloc[0] + malloc[2]


def collector_figures() -> dict[str, int]:
    """Totals of the cyclic collector since the process started."""
    stats = gc.get_stats()
    return {
        "collections": sum(generation["collections"] for generation in stats),
        "collected": sum(generation["collected"] for generation in stats),
        "uncollectable": sum(generation["uncollectable"] for generation in stats),
    }
