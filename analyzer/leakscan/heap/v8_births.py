"""When the nodes of a V8 heap were made, by their ids: V8 counts, so a younger object has a larger one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.heap.graph import U16, U64, HeapGraph
from leakscan.heap.kinds import BIRTH_BASELINE, BIRTH_UNKNOWN, BIRTH_WAITING
from leakscan.heap.v8_driver import DRIVER
from leakscan.heap.v8_names import INTERNAL_SCRIPTS

_SAMPLE: Final = 3_000
_FEWEST_FOUND: Final = 0.02
_MOST_SAME: Final = 0.9
_TABLE: Final = 1 << 28
"""A table of ids beyond this takes more memory than sorting them."""


def counted_ids(graph: HeapGraph) -> U64:
    """Ids that V8 gave. Even ones are an embedder's, which Node 18 and 20 make from addresses."""
    ids: U64 = graph.addresses[(graph.addresses & np.uint64(1)) == 1]
    return ids


def last_id(graph: HeapGraph) -> int:
    """The largest id that V8 had given when the snapshot was taken, 0 when there is none."""
    known = graph.meta.get("last_id")
    if isinstance(known, int):
        return known
    ids = counted_ids(graph)
    return int(ids.max()) if len(ids) else 0


def with_births(graph: HeapGraph, last_ids: Sequence[int]) -> HeapGraph:
    """`graph` with the run that each node was born in.

    `last_ids` are the largest ids after 0, 1, ... runs (or snapshots), ascending. What is younger than the
    last of them counts for the last run: the snapshot itself makes objects. Ids of the embedder date nothing.
    """
    marks = np.asarray(last_ids, np.uint64)
    # An id equal to a mark was there when the mark was read.
    runs = np.searchsorted(marks, graph.addresses, side="left")
    births: U16 = np.minimum(runs, min(max(BIRTH_BASELINE, len(marks) - 1), BIRTH_WAITING - 1)).astype(
        np.uint16
    )
    births[(graph.addresses & np.uint64(1)) == 0] = BIRTH_UNKNOWN
    return replace(graph, births=births, meta={**graph.meta, "births": True})


def ids_agree(before: HeapGraph, after: HeapGraph) -> bool:
    """Whether ids mean the same nodes in both: the same process, and a runtime that keeps them.

    A sample decides: the first nodes, which are the engine's own and stay, others evenly spread, and the
    younger half of those, for every process of one Node begins with the same nodes. What is found again
    must be of the same type.
    """
    is_counted = (before.addresses & np.uint64(1)) == 1
    nodes = np.flatnonzero(is_counted)
    spread = max(1, len(nodes) // _SAMPLE)
    sample = np.unique(np.concatenate((nodes[:_SAMPLE], nodes[::spread][:_SAMPLE])))
    if not len(sample):
        return True
    order = np.argsort(before.addresses[sample])
    ids, sample = before.addresses[sample][order], sample[order]
    found = np.flatnonzero(np.isin(after.addresses, ids, kind="sort" if ids[-1] > _TABLE else "table"))
    if len(found) < _FEWEST_FOUND * len(sample):
        return False
    rows = np.searchsorted(ids, after.addresses[found])
    names_before, names_after = before.type_names, after.type_names
    same = np.array(
        [
            names_before[old] == names_after[new]
            for old, new in zip(
                before.type_ids[sample[rows]].tolist(), after.type_ids[found].tolist(), strict=True
            )
        ]
    )
    younger = same[after.addresses[found] > np.median(before.addresses[nodes[::spread]])]
    return all(part.mean() >= _MOST_SAME for part in (same, younger) if len(part))


def own_scripts(graph: HeapGraph) -> frozenset[str]:
    """Names of the program's script files; those of the runtime, of packages and of leakscan are left out."""
    numbers = sorted({file for file, _ in graph.locations.values()})
    files = [graph.strings[number].replace("\\", "/") for number in numbers]
    others = ("/node_modules/", DRIVER)
    return frozenset(
        file
        for file in files
        if file and not file.startswith(INTERNAL_SCRIPTS) and not any(part in file for part in others)
    )
