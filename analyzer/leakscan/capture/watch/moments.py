"""When to look: every so often until the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def moments(
    *, every_seconds: float, for_seconds: float, wait: Callable[[float], object] = time.sleep
) -> Iterator[None]:
    """One item whenever a look is due; looks that something else took the time of are left out."""
    due = time.monotonic()
    deadline = due + for_seconds
    while True:
        yield
        now = time.monotonic()
        if now >= deadline:
            return
        due = max(due + every_seconds, now)
        wait(max(0.0, min(due, deadline) - now))
