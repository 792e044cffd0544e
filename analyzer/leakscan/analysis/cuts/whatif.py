"""What would be freed if the references that the user names were removed, or made weak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakscan.analysis.cuts.also_held import AlsoHeld, OtherHolders
from leakscan.analysis.dialects.nearest import nearest_patterns
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.ephemerons import lost_values
from leakscan.analysis.graph.garbage import Liveness, still_blocking
from leakscan.analysis.graph.refs import distinct
from leakscan.errors import UsageError
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import IMMORTAL, ObjectFlag, RootFlag

Bools = npt.NDArray[np.bool_]
Find = Callable[[str], tuple[U32, U32]]
"""References, and rows of the root table, that a text means. UsageError: it means nothing."""

_TYPES_LISTED = 10


@dataclass(frozen=True, slots=True)
class PatternEffect:
    """What one pattern does alone. `is_weak` when it was asked to be made weak instead of removed."""

    pattern: str
    is_weak: bool
    reference_count: int
    frees: int
    frees_bytes: int
    frees_survivors: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What all patterns together free. `freed_types` is (type, objects, bytes), biggest first.

    `frees_old` were alive before the runs. `still_held` counts the survivors that stay; for a pair
    without survivors it is 0.
    """

    effects: tuple[PatternEffect, ...]
    frees: int
    frees_bytes: int
    frees_survivors: int
    survivors: int
    frees_old: int
    freed_types: tuple[tuple[str, int, int], ...]
    types_omitted: int
    led_to: int = 0
    """objects that the named references lead to and that stay; when some survivors are freed and others stay,
    the survivors that those references and what is freed lead to"""
    also_held_by: tuple[tuple[str, int], ...] = ()
    """(slot, how many of those it holds as well), most first"""
    also_held_at_least: bool = False
    """there were too many references to look at: the slots may hold more of them, and others may, too"""

    @property
    def still_held(self) -> int:
        return self.survivors - self.frees_survivors


def what_if(
    graph: HeapGraph,
    life: Liveness,
    *,
    cut: Sequence[str],
    weak: Sequence[str] = (),
    is_new: Bools | None = None,
    known_patterns: Sequence[str] = (),
    find: Find | None = None,
) -> WhatIf:
    """The effect of removing the references that `cut` and `weak` name, each alone and all together.

    A reference made weak and one removed keep equally little alive; `weak` is for the report. Raises
    UsageError when a pattern cannot be read or matches nothing, with the nearest of
    `known_patterns` and of what the snapshot holds. What is no pattern `find` may know.
    """
    if not cut and not weak:
        raise UsageError(
            "no reference to cut was named", hint="leakscan whatif DIR --cut 'Workflow._runs[*]'"
        )
    heap = Experiments(graph, life, is_new=is_new, known_patterns=known_patterns, find=find)
    return heap.answer(cut=cut, weak=weak)


class Experiments:
    """Questions about one heap; what one pattern does alone is found once for all of them."""

    def __init__(
        self,
        graph: HeapGraph,
        life: Liveness,
        *,
        is_new: Bools | None = None,
        known_patterns: Sequence[str] = (),
        find: Find | None = None,
    ) -> None:
        self._graph, self._life = graph, life
        self._is_new = np.zeros(graph.object_count, np.bool_) if is_new is None else is_new
        self._survivors = self._is_new & _held_by_the_program(graph, life)
        self._known, self._find_otherwise = tuple(known_patterns), find
        self._found: dict[str, tuple[U32, U32]] = {}
        self._alone: dict[str, Bools] = {}
        self._others = OtherHolders(graph, life)

    def answer(self, *, cut: Sequence[str], weak: Sequence[str] = (), with_rest: bool = True) -> WhatIf:
        """What these patterns free; `with_rest`, who holds what stays. UsageError as for `what_if`."""
        graph, texts = self._graph, (*cut, *weak)
        effects = tuple(self._effect(text, number >= len(cut)) for number, text in enumerate(texts))
        freed = self._freed(texts)
        types = _by_type(graph, freed)
        others = self._also_held(texts, freed, with_rest=with_rest)
        return WhatIf(
            effects=effects,
            frees=int(freed.sum()),
            frees_bytes=_bytes(graph, freed),
            frees_survivors=int((freed & self._survivors).sum()),
            survivors=int(self._survivors.sum()),
            frees_old=int((freed & ~self._is_new).sum()),
            freed_types=types[:_TYPES_LISTED],
            types_omitted=max(0, len(types) - _TYPES_LISTED),
            led_to=others.led_to,
            also_held_by=others.slots,
            also_held_at_least=others.is_sample,
        )

    def _also_held(self, texts: Sequence[str], freed: Bools, *, with_rest: bool) -> AlsoHeld:
        is_any = bool(self._survivors.any())
        if not (freed & self._survivors if is_any else freed).any():
            return self._others.of(*self._matched(texts), freed)
        if with_rest and is_any and (self._survivors & ~freed).any():
            return self._others.of_rest(*self._matched(texts), freed, self._survivors)
        return AlsoHeld()

    def _effect(self, text: str, is_weak: bool) -> PatternEffect:
        freed = self._freed((text,))
        refs, roots = self._found[text]
        return PatternEffect(
            pattern=text,
            is_weak=is_weak,
            reference_count=len(refs) + len(roots),
            frees=int(freed.sum()),
            frees_bytes=_bytes(self._graph, freed),
            frees_survivors=int((freed & self._survivors).sum()),
        )

    def _freed(self, texts: Sequence[str]) -> Bools:
        if len(texts) == 1 and texts[0] in self._alone:
            return self._alone[texts[0]]
        for text in texts:
            if text not in self._found:
                self._found[text] = self._find(text)
        freed = freed_by(self._graph, self._life, *self._matched(texts))
        if len(texts) == 1:
            self._alone[texts[0]] = freed
        return freed

    def _find(self, text: str) -> tuple[U32, U32]:
        try:
            return _find(self._graph, text, self._known)
        except UsageError as error:
            with suppress(UsageError):
                if self._find_otherwise is not None:
                    return self._find_otherwise(text)
            raise error

    def _matched(self, texts: Sequence[str]) -> tuple[U32, U32]:
        refs, roots = zip(*(self._found[text] for text in texts), strict=True)
        return distinct(np.concatenate(refs)), distinct(np.concatenate(roots))


def _held_by_the_program(graph: HeapGraph, life: Liveness) -> Bools:
    """Live objects that are reached without leakscan's own: what only those hold is no survivor."""
    is_own = (graph.flags & np.uint8(ObjectFlag.OWN)) != 0
    own_roots = (graph.roots.flags & np.uint8(RootFlag.OWN)) != 0
    starts = np.concatenate((graph.roots.targets[~own_roots], _standing_alone(graph, life), life.blockers))
    reached = kernels.reachable(
        life.csr, roots=starts[~is_own[starts]], skip=life.weak, barriers=is_own if is_own.any() else None
    )
    return np.asarray(reached & ~is_own)


def _standing_alone(graph: HeapGraph, life: Liveness) -> U32:
    """Objects that no root has to hold: held from C, or immortal."""
    alone = life.is_held_from_c.copy()
    if graph.runtime == "cpython":
        alone |= graph.refcounts == IMMORTAL
    return np.flatnonzero(alone).astype(np.uint32)


def freed_by(graph: HeapGraph, life: Liveness, refs: U32, root_rows: U32) -> Bools:
    """Live objects that nothing alive reaches once these references and root rows are gone."""
    skip = life.weak.copy()
    skip[refs] = True
    starts = life.anchors
    if len(root_rows) or len(life.blockers):
        kept = np.delete(graph.roots.targets, root_rows)
        # A cycle that hides from the collector is freed when it is cut open.
        blockers = still_blocking(life, skip)
        starts = distinct(np.concatenate((kept, _standing_alone(graph, life), blockers)))
    reached = kernels.reachable(life.csr, roots=starts, skip=skip)
    # A WeakMap that is gone lets go of values, which may have held the next one.
    while graph.runtime == "v8" and len(lost := lost_values(graph, reached)) and not skip[lost].all():
        skip[lost] = True
        reached = kernels.reachable(life.csr, roots=starts, skip=skip)
    # So does an entry of a weak table when what it waits for is gone.
    while (struck := life.entries.refs[~reached[life.entries.keys]]).size and not skip[struck].all():
        skip[struck] = True
        reached = kernels.reachable(life.csr, roots=starts, skip=skip)
    return np.asarray(life.is_live & ~reached)


def _find(graph: HeapGraph, text: str, known: tuple[str, ...]) -> tuple[U32, U32]:
    pattern = parse_pattern(text)
    matched = match_pattern(graph, pattern)
    if len(matched):
        return matched.refs, matched.roots
    near = nearest_patterns(graph, pattern, matched, known)
    hint = "nearest: " + ", ".join(near) if near else "`leakscan diff` shows the patterns of each leak"
    raise UsageError(f"{text!r} matches no reference in the snapshot", hint=hint)


def _bytes(graph: HeapGraph, chosen: Bools) -> int:
    return int(graph.sizes[chosen].sum(dtype=np.uint64))


def _by_type(graph: HeapGraph, chosen: Bools) -> tuple[tuple[str, int, int], ...]:
    counts, sizes = kernels.census(graph.type_ids, graph.sizes, key_count=len(graph.types), members=chosen)
    by_name: dict[str, tuple[int, int]] = {}
    for row in np.flatnonzero(counts).tolist():
        known = by_name.get(graph.type_names[row], (0, 0))
        by_name[graph.type_names[row]] = (known[0] + int(counts[row]), known[1] + int(sizes[row]))
    rows = [(name, count, size) for name, (count, size) in by_name.items()]
    return tuple(sorted(rows, key=lambda row: (-row[2], -row[1], row[0])))
