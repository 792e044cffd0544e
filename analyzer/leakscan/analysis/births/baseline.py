"""Bring the births of two snapshots of one process to one beginning: that of the earlier one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, BIRTH_UNKNOWN, BIRTH_WAITING


def since(before: HeapGraph, after: HeapGraph) -> HeapGraph:
    """`after` with births counted from `before`: a process that is attached to again and again counts on.

    Births that began after `before` was taken tell nothing about the time between, and are dropped.
    """
    if before.runtime != "cpython" or not after.has_births:
        return after
    if not before.has_births:
        unknown = np.full_like(after.births, BIRTH_UNKNOWN)
        return replace(after, births=unknown, meta={**after.meta, "births": False})
    first = int(before.meta.get("run", 0) or 0)
    if first <= 0:
        return after
    births = after.births.copy()
    is_dated = births < BIRTH_WAITING
    births[is_dated & (births <= first)] = BIRTH_BASELINE
    births[is_dated & (births > first)] -= np.uint16(first)
    return replace(after, births=births)
