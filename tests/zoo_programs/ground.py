"""What every program of the zoo shares. Programs run on their own: zoo_programs/NAME.py FOLDER [SCALE]."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leakscan.record import births
from leakscan.record.snapshot import snapshot

FOLDER = Path(sys.argv[1])
SCALE = int(sys.argv[2]) if len(sys.argv) > 2 else 1


def watched(build: Callable[[], Any]) -> Any:  # Any: whatever the program keeps alive
    """A snapshot, then `build()` as run 1 with births recorded, then another; what was built."""
    gc.collect()
    births.arm(runs=1, sites=True)
    snapshot(FOLDER / "before.heap")
    births.begin_run(1)
    built = build()
    births.begin_own()
    snapshot(FOLDER / "after.heap")
    births.disarm()
    return built
