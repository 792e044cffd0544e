"""What the explorer knows: a heap, the answer about it, what-ifs; each found once, when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from leakscan.analysis.capsule import Capsule
from leakscan.analysis.cuts.whatif import WhatIf, what_if
from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.objects.called import find_meant, find_references
from leakscan.analysis.objects.growing import GrowthTree
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.texts import SameSize, SameText, same_sizes, same_texts
from leakscan.analysis.objects.unused_variables import Unused, UnusedVariables
from leakscan.analysis.objects.views import Named
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed_as_numbered
from leakscan.answers.capsules import capsule_at
from leakscan.answers.looking import graph_to_look_at, scripts_of
from leakscan.answers.sources import pair_of, snapshot_in, sources_of
from leakscan.errors import LeakscanError
from leakscan.heap.graph import U32
from leakscan.heap.kinds import BIRTH_OWN
from leakscan.heap.reader import load

_WARMED: Final = 10
"""Leaks of a capture whose links are answered before somebody follows them."""
_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class TypeRow:
    """All objects of a type; `retained` leaves out those that are inside another of the type."""

    type_name: str
    count: int
    shallow_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class CutOne:
    """What removing one reference would do. `others` are further holders of what it leads to."""

    source: Named
    target: Named
    frees: int
    frees_bytes: int
    others: tuple[int, ...]


class Explorer:
    """One capture, one or several snapshots, or a capsule, which has no heap."""

    def __init__(self, sources: list[Path]) -> None:
        self.sources = sources
        if len(sources) > 1:
            # Two directories are no pair of snapshots: said now, not on a page.
            sources_of(sources)
        self.capsule: Capsule | None = capsule_at(sources)
        self.trouble = ""
        self._found: dict[str, U32] = {}
        self._answers: dict[str, WhatIf] = {}

    @cached_property
    def heap(self) -> Heap | None:
        """The last snapshot; None for a capsule. SnapshotError: it cannot be read."""
        return None if self.capsule is not None else Heap(graph_to_look_at(self.sources[-1]))

    def forget_heap(self) -> None:
        """Lets go of what takes most memory; it is read again when a page needs it."""
        for name in ("heap", "growth", "unused", "unused_rows", "texts", "same_sizes", "types", "_anchors"):
            self.__dict__.pop(name, None)
        self._found.clear()
        self._answers.clear()

    @cached_property
    def findings(self) -> tuple[Findings, ...]:
        """What `diff` says, one for each mode; () for one snapshot, and with `trouble` when it cannot say."""
        if self.capsule is not None:
            return self.capsule.findings
        if len(self.sources) == 1 and not self.sources[0].is_dir():
            return ()
        try:
            return (analysed_as_numbered(self.sources),)
        except LeakscanError as error:
            self.trouble = error.message
            return ()

    def prepare(self) -> None:
        """What the first page needs."""
        if not self.findings and self.heap is not None:
            self.heap.prepare_names_and_tree()

    def rest(self) -> Iterator[None]:
        """What the other pages need, a part at each step, so that each page is made at once."""
        heap = self.heap
        if heap is None:
            return
        heap.prepare_names_and_tree()
        yield
        _ = heap.incoming
        yield
        _ = heap.retained_counts
        yield
        _ = self.types
        yield
        _ = self.texts

    def warm(self) -> None:
        """The answers to what the leaks' pages link to: patterns over millions of objects take a second."""
        if self.heap is None:
            return  # a capsule has its answers already
        _ = self.unused_rows
        if self.findings:
            _ = self.growth
        told = [leak for found in self.findings for leak in found.leaks[:_WARMED]]
        for leak in told:
            members = [member.pattern for member in leak.cut.members] if leak.cut else []
            for text in (*([leak.holder.label] if leak.holder else []), *members):
                with suppress(LeakscanError):
                    self.find(text)
            for text in members:
                with suppress(LeakscanError):
                    self.cut_pattern(text)

    def find(self, text: str) -> U32:
        """What `find_meant` finds, kept for when it is asked again. UsageError: it means nothing."""
        if text not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            assert self.heap is not None
            self._found[text] = find_meant(self.heap, text)
        return self._found[text]

    @cached_property
    def types(self) -> tuple[TypeRow, ...]:
        """Every type with live objects, those that retain most first."""
        heap = self.heap
        if heap is None:
            return ()
        graph, count = heap.graph, heap.graph.object_count
        idom = heap.dominance.idom
        live = (idom != NO) & heap.is_shown
        above = np.where(idom < count, idom, 0)
        is_outermost = live & ((idom >= count) | (graph.type_ids[above] != graph.type_ids))
        rows = len(graph.types)
        counts = np.bincount(graph.type_ids[live], minlength=rows)
        shallow = np.bincount(graph.type_ids[live], graph.sizes[live], minlength=rows)
        retained = np.bincount(
            graph.type_ids[is_outermost], heap.retained[:count][is_outermost], minlength=rows
        )
        found = [
            TypeRow(graph.type_names[row], int(counts[row]), int(shallow[row]), int(retained[row]))
            for row in np.flatnonzero(counts).tolist()
        ]
        return tuple(sorted(found, key=lambda row: (-row.retained_bytes, row.type_name)))

    @cached_property
    def texts(self) -> tuple[SameText, ...]:
        """Texts that occur often; () where no hashes were recorded."""
        return same_texts(self.heap) if self.heap is not None else ()

    @cached_property
    def growth(self) -> GrowthTree | None:
        """What grew since the first snapshot, object by object; None without two snapshots."""
        if self.heap is None:
            return None
        before, after = pair_of(self.sources)
        if before is None or before == after:
            return None
        tree = GrowthTree(Heap(load(before)), self.heap)
        tree.prepare()
        return tree

    @cached_property
    def unused(self) -> UnusedVariables | None:
        """What tells of variables of JavaScript that no function uses; None without a heap."""
        if self.heap is None:
            return None
        return UnusedVariables(self.heap, scripts_of(snapshot_in(self.sources[-1])))

    @cached_property
    def unused_rows(self) -> tuple[Unused, ...]:
        return self.unused.all() if self.unused is not None else ()

    @cached_property
    def same_sizes(self) -> tuple[SameSize, ...]:
        """What stands in for `texts` where no hashes were recorded."""
        return same_sizes(self.heap) if self.heap is not None else ()

    def cut_one(self, ref: int) -> CutOne:
        """What removing this reference alone frees: all that its target retains, or nothing.

        Nothing when the target is also held by a root or by an object that does not hang on it itself.
        """
        heap = self.heap
        assert heap is not None
        graph = heap.graph
        target, source = int(graph.ref_targets[ref]), source_of(graph, ref)
        others = self._other_holders(ref, target)
        is_freed = not len(others) and not heap.life.weak[ref] and target not in self._anchors
        is_freed &= int(heap.dominance.idom[target]) != NO
        return CutOne(
            heap.named(source),
            heap.named(target),
            int(heap.retained_counts[target]) if is_freed else 0,
            int(heap.retained[target]) if is_freed else 0,
            tuple(others.tolist()),
        )

    @cached_property
    def _anchors(self) -> frozenset[int]:
        heap = self.heap
        assert heap is not None
        return frozenset(heap.life.anchors.tolist())

    def _other_holders(self, ref: int, target: int) -> U32:
        """References to the target from live objects that it does not keep alive itself."""
        heap = self.heap
        assert heap is not None
        span = slice(int(heap.incoming.first[target]), int(heap.incoming.first[target + 1]))
        refs, sources = heap.incoming.refs[span], heap.incoming.sources[span]
        kept = (refs != ref) & (heap.life.weak[refs] == 0) & (heap.dominance.idom[sources] != NO)
        kept &= ~self._is_below(sources, target)
        return np.asarray(refs[kept], np.uint32)

    def _is_below(self, objects: U32, top: int) -> np.typing.NDArray[np.bool_]:
        """Which of these the object `top` dominates, itself included: all at once, level by level upwards."""
        heap = self.heap
        assert heap is not None
        found = objects == top
        at, count = objects.astype(np.int64), heap.graph.object_count
        walking = ~found
        while walking.any():
            up = heap.dominance.idom[at[walking]].astype(np.int64)
            at[walking] = up
            is_top = up == top
            found[np.flatnonzero(walking)[is_top]] = True
            walking[np.flatnonzero(walking)[is_top | (up >= count)]] = False
        return np.asarray(found)

    def cut_pattern(self, pattern: str) -> WhatIf:
        """What `leakscan whatif --cut` says. UsageError: the pattern matches nothing."""
        if self.capsule is not None:
            return self.capsule.whatif([pattern])
        heap = self.heap
        assert heap is not None
        if pattern not in self._answers:
            if len(self._answers) >= _KEPT:
                self._answers.clear()
            self._answers[pattern] = what_if(
                heap.graph,
                heap.life,
                cut=[pattern],
                is_new=self._is_new,
                find=lambda text: find_references(heap, text),
            )
        return self._answers[pattern]

    @cached_property
    def _is_new(self) -> np.typing.NDArray[np.bool_] | None:
        heap = self.heap
        if heap is None or not heap.graph.has_births:
            return None
        births = heap.graph.births
        return np.asarray((births > 0) & (births < BIRTH_OWN))
