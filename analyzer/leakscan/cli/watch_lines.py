"""What `leakscan watch` prints of each look at the process."""

from __future__ import annotations

import time

from leakscan.capture.watch.watch import Acted, Alarm, Ended, Event
from leakscan.wording import size_text, visible

_COLUMNS = ("RSS", "USS", "python", "slack", "malloc", "mapped")
HEADER = "  ".join([f"{'time':8}", *(f"{name:>8}" for name in _COLUMNS)]) + " thr regions"


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
