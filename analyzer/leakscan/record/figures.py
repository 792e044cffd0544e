"""Memory figures of this process, from the kernel and its allocators. Bytes; absent when unknown."""

from __future__ import annotations

import contextlib
import gc
import platform
import sys

from leakscan import _native

_FOREIGN = ("jemalloc", "mimalloc", "tcmalloc", "ld-musl")
"""Parts of the file names of what serves `malloc` instead of glibc."""


def memory_figures() -> dict[str, int]:
    """What the process holds now; docs/reference/capture-directory.md says what each figure is."""
    figures = {"allocated_blocks": sys.getallocatedblocks()}
    malloc = _native.malloc_figures()
    if malloc is not None:
        names = ("malloc_used_bytes", "malloc_free_bytes", "malloc_mapped_bytes", "malloc_main_used_bytes")
        figures.update(zip(names, malloc, strict=True))
    with contextlib.suppress(OSError):  # macOS, or a container without /proc
        figures.update(_native.map_figures(0))
    return figures


def heap_in_use() -> int:
    """Bytes that the C library has handed out, to be compared with what it says later; 0: unknown."""
    return _native.malloc_in_use() or 0


def allocator() -> str:
    """Who serves `malloc` here: `glibc`, or a file name of another library."""
    if _native.malloc_figures() is not None:
        return "glibc"
    try:
        with open("/proc/self/maps", "rb") as maps:
            files = {line.rpartition(b"/")[2].decode("utf-8", "replace").strip() for line in maps}
    except OSError:
        files = set()
    found = sorted(name for name in files if any(part in name for part in _FOREIGN))
    return found[0] if found else _native.malloc_owner() or "unknown"


def collector_figures() -> dict[str, int]:
    """Totals of the cyclic collector since the process started."""
    stats = gc.get_stats()
    return {
        "collections": sum(generation["collections"] for generation in stats),
        "collected": sum(generation["collected"] for generation in stats),
        "uncollectable": sum(generation["uncollectable"] for generation in stats),
    }


def interpreter() -> dict[str, str]:
    """Which one this is, as run.json says it."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": f"{sys.platform}-{platform.machine()}",
    }
