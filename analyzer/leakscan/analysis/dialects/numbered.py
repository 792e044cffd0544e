"""Names of attributes and globals that a program makes by counting: `handler_17` is one of `handler_*`."""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Mask
from leakscan.analysis.dialects.segment import normalised
from leakscan.analysis.graph.refs import kinds_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind

_FEWEST: Final = 4
"""New objects under names of one namespace that differ in their digits only. `x1` and `x2` were typed."""


def numbered_names(graph: HeapGraph, refs: U32, sources: U32, is_namespace: Mask) -> dict[int, str]:
    """What the counted names among these references share, by the number of the string: 17: `handler_*`."""
    kinds = kinds_of(graph, refs)
    is_name = (kinds == Kind.ATTRIBUTE) | ((kinds == Kind.KEY_STR) & is_namespace[sources])
    pairs = np.unique(
        sources[is_name].astype(np.uint64) << np.uint64(32)
        | graph.ref_labels[refs[is_name]].astype(np.uint64)
    )
    shared: dict[tuple[int, str], list[int]] = {}
    for pair in pairs.tolist():
        label = pair & 0xFFFFFFFF
        name = graph.strings[label]
        if (text := normalised(name)) != name:
            shared.setdefault((pair >> 32, text), []).append(label)
    return {label: text for (_, text), labels in shared.items() if len(labels) >= _FEWEST for label in labels}
