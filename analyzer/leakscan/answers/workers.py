"""What the captures of a supervisor's workers say beside their heaps."""

from __future__ import annotations

from pathlib import Path

from leakscan.analysis.results.workers import WorkerMemory
from leakscan.capture.directory.reader import Census, read_captures


def memory_of_workers(directory: Path) -> tuple[WorkerMemory, ...]:
    """Of each worker that was looked at twice, in the order of their names."""
    found = []
    for capture in read_captures(directory):
        rows = [row for row in capture.census if "copy_on_write_bytes" in row.memory]
        if len(rows) > 1:
            found.append(_between(capture.directory.name, rows[0], rows[-1]))
    return tuple(sorted(found, key=lambda row: row.worker))


def _between(worker: str, first: Census, last: Census) -> WorkerMemory:
    return WorkerMemory(
        worker=worker,
        rss_bytes_before=first.memory["rss_bytes"],
        rss_bytes_after=last.memory["rss_bytes"],
        own_bytes_before=first.memory["uss_bytes"],
        own_bytes_after=last.memory["uss_bytes"],
        copy_on_write_bytes_before=first.memory["copy_on_write_bytes"],
        copy_on_write_bytes_after=last.memory["copy_on_write_bytes"],
    )
