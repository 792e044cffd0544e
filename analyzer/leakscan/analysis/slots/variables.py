"""Context variables that a program makes from its data: one for each request, with a name of its own.

Who makes the variables of a library or of a program gives them names in the source, and there is no more of
them in the tenth run than in the first. Variables that were made in several runs, under several names, are
entries of the context, and one slot.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.dialects.pattern_text import quoted
from leakscan.analysis.dialects.patterns import in_tries
from leakscan.analysis.dialects.segment import normalised
from leakscan.analysis.graph.refs import distinct, kinds_of
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind

Bools = npt.NDArray[np.bool_]

FEWEST_RUNS: Final = 3
"""Runs that made variables of other names: nobody types that."""
_HEAD: Final = "context variable "


def made_from_data(reach: Reach, refs: U32) -> tuple[Bools, str]:
    """(which of these references lead to such variables and to their values, how all of them are written)."""
    graph, survivors = reach.graph, reach.survivors
    found = np.zeros(len(refs), np.bool_)
    is_inside = np.isin(refs, in_tries(graph, refs))
    keys = refs[is_inside & (kinds_of(graph, refs) == Kind.KEY)]
    keys = keys[survivors.is_new[graph.ref_targets[keys]]]
    labels = distinct(graph.ref_labels[keys])
    births = distinct(survivors.births_of(graph.ref_targets[keys]))
    if min(len(labels), len(births[births > 0])) < FEWEST_RUNS:
        return found, ""
    shared = _shared([graph.strings[label] for label in labels.tolist()])
    return is_inside & np.isin(graph.ref_labels[refs], labels), f"{_HEAD}{quoted(shared)}"


def variables_called(graph: HeapGraph, pattern: str) -> int | None:
    """How many variables with a value have a name that such a pattern writes, None for any other pattern."""
    if not pattern.startswith(_HEAD) or "*" not in pattern:
        return None
    wanted = re.compile(".*".join(re.escape(part) for part in pattern[len(_HEAD) + 1 : -1].split("*")))
    values = np.flatnonzero((graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.CONTEXT)
    labels = distinct(graph.ref_labels[values.astype(np.uint32)]).tolist()
    return sum(wanted.fullmatch(graph.strings[label]) is not None for label in labels)


def _shared(names: list[str]) -> str:
    """What these names have in common: `request_*`, up to where a word ends."""
    written = {normalised(name) for name in names}
    if len(written) == 1 and "*" in (only := written.pop()):
        return only
    # The first and the last in order differ as early as any two.
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(names), max(names), strict=False))
    return re.sub(r"[^\W_]+$", "", "".join(first for first, _ in alike)) + "*"
