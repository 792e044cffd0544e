"""Two snapshots around a few runs in this process, with births and nothing else: no census of any run.

What was alive before the runs is kept out of the collections between them, so that these cost as much as what
the runs have made.
"""

from __future__ import annotations

import gc
import os
from array import array
from collections.abc import Callable
from typing import Any, Final

from leakscan import _native
from leakscan.record import births, snapshot
from leakscan.record.frozen import Frozen
from leakscan.record.scenario import Scenario
from leakscan.record.settle import collect_all, drain

BEFORE: Final = "before.heap"
AFTER: Final = "after.heap"
SETTLE_SECONDS: Final = 2.0
MOST_COLLECTIONS: Final = 4


def record_growth(
    run: Callable[[], Any],  # Any: dropped
    tidy: Callable[[], Any],
    *,
    runs: int,
    folder: str,
) -> bool:
    """Whether the runs left something that grew; then the snapshots before and after them are in `folder`.

    `tidy` is called after each run: what it makes is not the run's. Exceptions of `run` pass through.
    Raises RecordError when births cannot be recorded.
    """
    living = array("q", bytes(8 * (runs + 1)))
    gc.collect()
    births.arm(runs=runs)
    frozen = Frozen()
    try:
        snapshot.record(os.path.join(folder, BEFORE))
        births.mark_others_waiting()
        frozen.begin()
        for number in range(1, runs + 1):
            births.begin_run(number)
            run()
            collect_all(at_most=MOST_COLLECTIONS)
            births.begin_own()
            tidy()
            living[number] = _living(number)
        frozen.end()
        births.begin_waiting()
        drain(
            Scenario(lambda: None, mode="consume", chunks=1, owns_main=False),
            tasks_at_rest=0,
            at_most_seconds=SETTLE_SECONDS,
        )
        births.begin_own()
        if 0 <= _living(runs) <= min(living[1:]):
            return False
        snapshot.record(os.path.join(folder, AFTER), run=runs)
        return True
    finally:
        frozen.end()
        births.disarm()


def _living(number: int) -> int:
    """Blocks of all runs that are alive, below 0 when that is not known."""
    found = _native.births_living(number)
    return -1 if found is None else found[1]
