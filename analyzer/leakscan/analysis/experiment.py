"""What a cut means in the living process: which references to clear there, and which objects to count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leakscan.analysis.patterns import match_pattern, parse_pattern
from leakscan.analysis.refs import sources_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import ObjectFlag


@dataclass(frozen=True, slots=True)
class Experiment:
    """References as (address of the holder, kind, label, address of what it holds); survivors by address.

    `uncounted` survivors are not tracked by the collector (strings, numbers, tuples of them): nothing
    in the process can find them. `uncleared` patterns name roots, which no reference leads from.
    """

    references: tuple[tuple[int, int, str, int], ...]
    survivors: tuple[int, ...]
    uncounted: int
    uncleared: tuple[str, ...]


def plan_experiment(after: HeapGraph, *, cut: Sequence[str], survivors: U32) -> Experiment:
    """The cut of a report, as `capture.Prove` takes it; `after` must be of the process that still waits.

    UsageError: a pattern cannot be read.
    """
    matched = [match_pattern(after, parse_pattern(text)) for text in cut]
    refs: U32 = np.unique(np.concatenate([found.refs for found in matched] or [np.zeros(0, np.uint32)]))
    holders = after.addresses[sources_of(after, refs)]
    held = after.addresses[after.ref_targets[refs]]
    is_tracked = (after.flags[survivors] & ObjectFlag.TRACKED) != 0
    return Experiment(
        references=tuple(
            (int(holder), int(after.kind(int(ref))), after.label(int(ref)), int(target))
            for holder, ref, target in zip(holders, refs, held, strict=True)
        ),
        survivors=tuple(int(address) for address in np.sort(after.addresses[survivors[is_tracked]])),
        uncounted=int((~is_tracked).sum()),
        uncleared=tuple(text for text, found in zip(cut, matched, strict=True) if not len(found.refs)),
    )
