"""Timers of asyncio that are cancelled: they wait in the loop's heap to be cleared away in bulk."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32

Bools = npt.NDArray[np.bool_]

CANCELLED_TIMERS: Final = " cancelled"
"""Ends the name of the slot of timers that are cancelled and wait to be cleared away."""
_TIMER: Final = "asyncio.events.TimerHandle"


def cancelled_timers(reach: Reach, refs: U32) -> Bools:
    """References to timers of asyncio that were cancelled: they have no callback any more."""
    graph = reach.graph
    rows = [row for row, name in enumerate(graph.type_names) if name == _TIMER]
    found = np.isin(graph.type_ids[graph.ref_targets[refs]], rows)
    for at in np.flatnonzero(found).tolist():
        timer = int(graph.ref_targets[refs[at]])
        found[at] = any(
            graph.label(ref) == "_callback" and graph.type_name(int(graph.ref_targets[ref])) == "NoneType"
            for ref in graph.references(timer)
        )
    return found
