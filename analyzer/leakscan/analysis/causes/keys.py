"""Keys of a table go with its values: what lies in the table is told by the values."""

from __future__ import annotations

import numpy as np

from leakscan.analysis.causes.causes import Cause
from leakscan.analysis.causes.holding import Holding
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import kinds_of
from leakscan.heap.graph import U32
from leakscan.heap.kinds import Kind


def without_keys(holding: Holding, cause: Cause, heads: U32) -> U32:
    """These heads (of the new graph) without those that are only keys, unless all of them are."""
    graph, table = holding.reach.graph, holding.table
    mine = np.isin(table.entry_slots, cause.slots) & (table.entry_refs != NO)
    objects, refs = table.entry_objects[mine], table.entry_refs[mine]
    is_key = kinds_of(graph, refs) == Kind.KEY
    keys = np.setdiff1d(objects[is_key], objects[~is_key])
    values: U32 = heads[~np.isin(heads, keys)]
    return values if len(values) else heads
