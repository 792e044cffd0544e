"""Which objects of the last snapshot were born after the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.births.identity import known_by_block, known_by_neighbours, known_by_place
from leakscan.heap.graph import U16, U32, HeapGraph
from leakscan.heap.kinds import BIRTH_OWN, BIRTH_WAITING, Kind, ObjectFlag, RootFlag, RootKind
from leakscan.heap.v8_births import last_id
from leakscan.heap.v8_names import is_machinery

Mask = npt.NDArray[np.bool_]

BY_BIRTH: Final = "births"
BY_NODE_ID: Final = "node id"
BY_ADDRESS: Final = "address, approximate"


@dataclass(frozen=True, slots=True)
class Survivors:
    """The new objects of a snapshot.

    `is_new` has one item for each object of the snapshot; `objects` are the numbers of the new ones,
    ascending, and `births` the runs they were born in, in the same order (0: not known).
    """

    is_new: Mask
    objects: U32
    births: U16
    identity: str

    def __len__(self) -> int:
        return len(self.objects)

    def births_of(self, objects: U32) -> U16:
        """Birth runs of some of the new objects."""
        found: U16 = self.births[np.searchsorted(self.objects, objects)]
        return found


def find_survivors(before: HeapGraph, after: HeapGraph) -> Survivors:
    """The objects of `after` that were not there in `before`; leakscan's own are never among them.

    A running frame is a root and not new, for what its locals hold is what a reader asks about; the
    frames of a thread that was not there before are new, and go with the thread.
    """
    if after.runtime == "v8":
        machinery = np.array([is_machinery(name) for name in after.type_names], np.bool_)
        excluded = ((after.flags & ObjectFlag.OWN) != 0) | machinery[after.type_ids]
        if after.has_births:
            is_counted = (after.births > 0) & (after.births < BIRTH_WAITING)
        else:
            # Ids of the embedder are larger than any count on Node 18 and 20: such nodes are never new.
            is_odd = (after.addresses & np.uint64(1)) == 1
            is_counted = is_odd & (after.addresses > last_id(before))
        return _survivors(is_counted, excluded, after, identity=BY_NODE_ID)
    excluded = (after.flags & (ObjectFlag.OWN | ObjectFlag.SYNTHETIC)) != 0
    births = after.births
    is_dated = (births > 0) & (births < BIRTH_WAITING)
    excluded |= births == BIRTH_OWN
    # A free list hands a block out again without asking the allocator, so the block keeps its old
    # birth: an object whose place held something else, or nothing, in the baseline is new as well.
    undated = np.flatnonzero(~is_dated & ~excluded)
    is_new = is_dated
    is_known = known_by_place(before, after, undated)
    is_known[~is_known] = known_by_block(before, after, undated[~is_known])
    if not after.has_births:
        is_known[is_known] = known_by_neighbours(before, after, undated[is_known])
    if not (before.births == BIRTH_WAITING).any():
        # What was born while leakscan waited was born after `before`, whatever lay there then.
        is_known &= births[undated] != BIRTH_WAITING
    is_new[undated[~is_known]] = True
    frames = _frames_of_new_threads(before, after)
    is_new[frames] = True
    excluded[frames] = False
    identity = BY_BIRTH if after.has_births else BY_ADDRESS
    return _survivors(is_new, excluded, after, identity=identity)


def _survivors(is_new: Mask, excluded: Mask, after: HeapGraph, *, identity: str) -> Survivors:
    is_new &= ~excluded
    objects = np.flatnonzero(is_new).astype(np.uint32)
    births = after.births[objects]
    births[births >= BIRTH_WAITING] = 0
    return Survivors(is_new, objects, births, identity)


def _frames_of_new_threads(before: HeapGraph, after: HeapGraph) -> list[int]:
    known = {label for label, _ in _threads(before)}
    frames: list[int] = []
    for label, frame in _threads(after):
        if label in known:
            continue
        caller: int | None = frame
        while caller is not None and int(after.flags[caller]) & ObjectFlag.SYNTHETIC:
            frames.append(caller)
            caller = _caller(after, caller)
    return frames


def _threads(graph: HeapGraph) -> list[tuple[str, int]]:
    """(label, innermost frame) of each thread that is not leakscan's."""
    roots = graph.roots
    rows = np.flatnonzero((roots.kinds == RootKind.THREAD) & ((roots.flags & np.uint8(RootFlag.OWN)) == 0))
    return [(graph.root_label(row), int(roots.targets[row])) for row in rows.tolist()]


def _caller(graph: HeapGraph, frame: int) -> int | None:
    for ref in graph.references(frame):
        if graph.kind(ref) == Kind.FRAME and graph.label(ref) == "f_back":
            return int(graph.ref_targets[ref])
    return None


def births_of(births: npt.NDArray[np.uint16], runs: int) -> tuple[int, ...]:
    """How many were born in each run, from the birth runs; () when none is known."""
    known = births[births > 0]
    if not len(known):
        return ()
    return tuple(np.bincount(np.minimum(known, runs), minlength=runs + 1)[1:].tolist())
