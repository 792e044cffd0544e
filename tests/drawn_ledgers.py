"""Figures of memory, drawn: rounds in which each kind of growth goes its own way."""

from __future__ import annotations

from collections.abc import Sequence

from leakscan.analysis.ledger.ledger import Rounds

KB, MB = 1_000, 1_000_000
AT_REST = {
    "rss_bytes": 40 * MB,
    "swap_bytes": 0,
    "main_heap_bytes": 8 * MB,
    "arena_heap_bytes": 2 * MB,
    "stack_bytes": 1 * MB,
    "file_bytes": 10 * MB,
    "file_size": 30 * MB,
    "shared_bytes": 0,
    "other_anonymous_bytes": 19 * MB,
    "other_anonymous_size": 40 * MB,
    "malloc_used_bytes": 8 * MB,
    "malloc_main_used_bytes": 7 * MB,
    "malloc_mapped_bytes": 2 * MB,
    "object_block_bytes": 12 * MB,
    "pool_used_bytes": 9 * MB,
    "pool_resident_bytes": 10 * MB,
    "births_bytes": 1 * MB,
}
MOVES = {
    "objects": ("rss_bytes", "other_anonymous_bytes", "other_anonymous_size")
    + ("pool_used_bytes", "pool_resident_bytes", "object_block_bytes"),
    "native": ("rss_bytes", "main_heap_bytes", "malloc_used_bytes", "malloc_main_used_bytes"),
    "pymalloc_slack": ("rss_bytes", "other_anonymous_bytes", "other_anonymous_size", "pool_resident_bytes"),
    "glibc_slack": ("rss_bytes", "main_heap_bytes"),
    "thread_arena_slack": ("rss_bytes", "arena_heap_bytes"),
    "mappings": ("rss_bytes", "other_anonymous_bytes", "other_anonymous_size"),
    "mapped_files": ("rss_bytes", "file_bytes", "file_size"),
    "shared_memory": ("rss_bytes", "shared_bytes", "file_size"),
    "stacks": ("rss_bytes", "stack_bytes"),
}
"""Figures that move with one kind of growth."""
STEADY = [run * MB for run in range(9)]


def drawn(**series: Sequence[int]) -> Rounds:
    """Rounds in which each kind grew by its series of bytes."""
    runs = max(len(each) for each in series.values())
    figures = []
    for run in range(runs):
        now = dict(AT_REST)
        for kind, grown in series.items():
            for name in MOVES[kind]:
                now[name] += grown[run]
        figures.append(now)
    return Rounds(figures=figures)
