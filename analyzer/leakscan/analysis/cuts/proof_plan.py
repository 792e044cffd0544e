"""What a cut means in the living process: which references to clear there, and which objects to count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakscan.analysis.cuts.whatif import freed_by
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.refs import distinct, sources_of
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import BIRTH_WAITING, ObjectFlag, RootKind, TypeFlag

_ROOT = 255
"""The kind by which `record` is asked to clear a root."""
Bools = npt.NDArray[np.bool_]
Counted = tuple[int, int, bool]
"""Address, run of its birth (0: unknown or before the runs), whether its type has the collector's header."""


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """References as (address of the holder, kind, label, address of what it holds).

    `others` are what the cut should free besides the survivors. `uncounted` of both are neither born in
    the runs nor tracked by the collector: nothing in the process can tell whether they are gone. A root
    of the interpreter is a reference of no holder, with its label.
    """

    references: tuple[tuple[int, int, str, int], ...]
    survivors: tuple[Counted, ...]
    others: tuple[Counted, ...]
    uncounted: int


def survivors_to_count(
    after: HeapGraph, life: Liveness, *, cut: Sequence[str], types: Sequence[str], is_new: Bools
) -> U32:
    """The objects that a cut is to be judged by: the new ones of the leaks' types that it should free.

    There may be others of the same types, which nobody claims to free: in use, or in a buffer beside.
    """
    rows = [row for row, name in enumerate(after.type_names) if name in types]
    freed = freed_by(after, life, *_matched(after, cut))
    return np.flatnonzero(np.isin(after.type_ids, rows) & is_new & life.is_live & freed).astype(np.uint32)


def plan_proof(after: HeapGraph, life: Liveness, *, cut: Sequence[str], survivors: U32) -> ProofPlan:
    """The cut of a report, as `capture.Prove` takes it; `after` must be of the process that still waits.

    UsageError: a pattern cannot be read.
    """
    refs, roots = _matched(after, cut)
    freed = freed_by(after, life, refs, roots)
    freed[survivors] = False
    others = np.flatnonzero(freed & (_births(after) > 0)).astype(np.uint32)
    is_counted = (_births(after)[survivors] > 0) | ((after.flags[survivors] & ObjectFlag.TRACKED) != 0)
    holders = after.addresses[sources_of(after, refs)]
    held = after.addresses[after.ref_targets[refs]]
    return ProofPlan(
        references=(
            *(
                (int(holder), int(after.kind(int(ref))), after.label(int(ref)), int(target))
                for holder, ref, target in zip(holders, refs, held, strict=True)
            ),
            *((0, _ROOT, after.root_label(row), 0) for row in _roots_that_hold(after, roots)),
        ),
        survivors=_counted(after, survivors[is_counted]),
        others=_counted(after, others),
        uncounted=int((~is_counted).sum()) + int(freed.sum()) - len(others),
    )


def _roots_that_hold(graph: HeapGraph, roots: U32) -> list[int]:
    """Modules go from `sys.modules` with the reference that holds them there."""
    return [row for row in roots.tolist() if graph.roots.kinds[row] == RootKind.INTERPRETER]


def _matched(graph: HeapGraph, cut: Sequence[str]) -> tuple[U32, U32]:
    matched = [match_pattern(graph, parse_pattern(text)) for text in cut]
    none = np.zeros(0, np.uint32)
    refs = distinct(np.concatenate([none, *(found.refs for found in matched)]))
    return refs, distinct(np.concatenate([none, *(found.roots for found in matched)]))


def _counted(graph: HeapGraph, objects: U32) -> tuple[Counted, ...]:
    addresses = graph.addresses[objects]
    order = np.argsort(addresses, kind="stable")
    has_header = (graph.types.flags[graph.type_ids[objects]] & np.uint8(TypeFlag.COLLECTED)) != 0
    births = _births(graph)[objects]
    return tuple(
        zip(addresses[order].tolist(), births[order].tolist(), has_header[order].tolist(), strict=True)
    )


def _births(graph: HeapGraph) -> npt.NDArray[np.uint16]:
    """The run each object was born in, 0 where none is known."""
    # What was born while leakscan waited has the birth of all that is allocated then, this order among it.
    births: npt.NDArray[np.uint16] = np.where(graph.births >= BIRTH_WAITING, np.uint16(0), graph.births)
    return births
