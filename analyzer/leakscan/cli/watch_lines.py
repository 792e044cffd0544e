"""What `leakscan watch` prints of each look at the process."""

from __future__ import annotations

import time

from leakscan.capture.watch.tree import TreeEvent, TreeLook
from leakscan.capture.watch.watch import Acted, Alarm, Ended, Event
from leakscan.wording import size_text, visible

_COLUMNS = ("RSS", "USS", "python", "slack", "malloc", "mapped")
HEADER = "  ".join([f"{'time':8}", *(f"{name:>8}" for name in _COLUMNS)]) + " thr regions"
TREE_HEADER = "time      workers       RSS       own    shared  biggest"


def line_of_tree(event: TreeEvent) -> str:
    """A look at all workers: what they have in memory, alone, and in common until somebody writes."""
    if not isinstance(event, TreeLook):
        return line_of(event)
    clock = time.strftime("%H:%M:%S", time.localtime(event.time_unix))
    sizes = (event.rss_bytes, event.own_bytes, event.copy_on_write_bytes)
    columns = "  ".join(f"{size_text(size):>8}" for size in sizes)
    biggest = max(event.workers, key=lambda worker: (worker.vitals.rss_bytes, worker.pid), default=None)
    named = f"{biggest.pid}: {size_text(biggest.vitals.rss_bytes)}" if biggest else "-"
    return f"{clock}  {len(event.workers):7d}  {columns}  {named}"


def line_of(event: Event) -> str:
    """One line of at most 80 columns for a look; alarms and what they did can be longer."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.time_unix))
    if isinstance(event, Ended):
        return f"{clock}  the process has ended"
    if isinstance(event, Alarm):
        done = "; ".join(event.outcome) or "no action asked for"
        return visible(f"{clock}  ALARM  {event.reason}: {done}")
    if isinstance(event, Acted):
        return visible(f"{clock}  {event.outcome}")
    sizes = (
        event.rss_bytes,
        event.uss_bytes,
        event.python_bytes,
        event.slack_bytes,
        event.malloc_bytes,
        event.mapped_bytes,
    )
    columns = "  ".join(f"{'-' if size is None else size_text(size):>8}" for size in sizes)
    return f"{clock}  {columns} {event.threads:3d} {event.regions:7d}"
