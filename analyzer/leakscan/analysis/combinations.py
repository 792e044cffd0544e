"""What every combination of some cuts would free, so that a page can switch them without the heap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leakscan.analysis.garbage import liveness
from leakscan.analysis.patterns import match_pattern, parse_pattern
from leakscan.analysis.refs import distinct
from leakscan.analysis.region import find_region
from leakscan.analysis.survivors import find_survivors
from leakscan.heap.graph import U32, HeapGraph


def cut_combinations(
    before: HeapGraph, after: HeapGraph, patterns: Sequence[str]
) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """((survivors, objects, bytes) freed by each combination, the number of survivors).

    Combination `mask` removes the patterns whose bits are set. Only what is reached from new objects is
    searched, so 2**k combinations of a big heap take little longer than one.
    """
    life = liveness(after)
    is_new = find_survivors(before, after).is_new
    region = find_region(after, life, is_new)
    survivors = is_new & life.is_live
    matched = [match_pattern(after, parse_pattern(pattern)) for pattern in patterns]
    rows = []
    for mask in range(2 ** len(patterns)):
        chosen = [found for bit, found in enumerate(matched) if mask >> bit & 1]
        if not chosen:
            rows.append((0, 0, 0))
            continue
        freed = region.freed_by(_together([c.refs for c in chosen]), _together([c.roots for c in chosen]))
        objects = region.objects[freed]
        rows.append((int(survivors[objects].sum()), len(objects), int(region.sizes[freed].sum())))
    return tuple(rows), int(survivors.sum())


def _together(parts: Sequence[U32]) -> U32:
    return distinct(np.concatenate(parts))
