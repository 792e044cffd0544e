"""The part of a snapshot that the runs could free: what old objects do not keep alive by themselves.

Everything that the roots reach without passing a new object stays whatever one cuts at or below the new
ones. What is left is small, and what a cut frees can be found out in it alone, exactly: the rest is
never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.kernels import NO, Csr
from leakscan.analysis.graph.refs import refs_from, sources_of
from leakscan.heap.graph import U32, U64, HeapGraph
from leakscan.heap.kinds import IMMORTAL, ObjectFlag, RootKind

Bools = npt.NDArray[np.bool_]

_CUTTABLE_ROOTS = (RootKind.INTERPRETER, RootKind.MODULE)
INTERNED = "interned strings"
FIXED_MEMORY = (
    INTERNED,
    "C variable of ",
    "interpreter state",
    "runtime state",
    "thread state",
    "pending calls",
    "type attribute cache",
)
"""Roots of the interpreter that no program can clear, by the beginning of their label."""


@dataclass(frozen=True)
class Region:
    """Live objects that are reached only through new ones, as a graph of its own.

    Object i of the region is `objects[i]` of the snapshot (ascending); `index` is the way back, NO for
    the rest. `csr` are the references between them, `edge_refs` their numbers in the snapshot.
    `entry_refs` lead in from outside, to `entry_targets` (region numbers). `root_rows` are rows of
    the root table that lead in and could be cleared, to `root_targets`. `anchored` (region numbers) live by
    themselves: held from C, immortal, modules. An entry of a table outside that goes with an object of the
    region is a reference of that object here, under the number that it has in the table.
    """

    graph: HeapGraph
    objects: U32
    index: U32
    csr: Csr
    edge_refs: U32
    entry_refs: U32
    entry_targets: U32
    root_rows: U32
    root_targets: U32
    anchored: U32
    is_new: Bools
    sizes: U64

    def __len__(self) -> int:
        return len(self.objects)

    def numbers(self, objects: npt.NDArray[np.integer]) -> U32:
        """Region numbers of those of these objects that are in it."""
        found = self.index[objects]
        inside: U32 = found[found != NO]
        return inside

    def starts(self, *, cut_refs: U32 | None = None, cut_roots: U32 | None = None) -> U32:
        """Region numbers at which life enters once these references and root rows are gone."""
        entries, roots = self.entry_targets, self.root_targets
        if cut_refs is not None:
            entries = entries[~_marked(self.entry_refs, cut_refs)]
        if cut_roots is not None:
            roots = roots[~_marked(self.root_rows, cut_roots)]
        return np.concatenate((entries, roots, self.anchored))

    def freed_by(self, cut_refs: U32, cut_roots: U32 | None = None) -> Bools:
        """Which objects of the region die when these references and root rows are removed."""
        starts = self.starts(cut_refs=cut_refs, cut_roots=cut_roots)
        skip = self._cut_edges(cut_refs)
        return np.asarray(~kernels.reachable(self.csr, roots=starts, skip=skip))

    @cached_property
    def _edge_order(self) -> npt.NDArray[np.intp] | None:
        """The order in which `edge_refs` ascend, None when they do: references of tables stand elsewhere."""
        is_ascending = bool(np.all(self.edge_refs[1:] > self.edge_refs[:-1]))
        return None if is_ascending else np.argsort(self.edge_refs, kind="stable")

    def _cut_edges(self, chosen: U32) -> Bools:
        order = self._edge_order
        if order is None:
            return _marked(self.edge_refs, chosen)
        marks = np.zeros(len(order), np.bool_)
        marks[order] = _marked(self.edge_refs[order], chosen)
        return marks


def _marked(ascending: U32, chosen: U32) -> Bools:
    """Which of `ascending` are among `chosen`; cheap when few are chosen."""
    marks = np.zeros(len(ascending), np.bool_)
    if len(ascending):
        at = np.minimum(np.searchsorted(ascending, chosen), len(ascending) - 1)
        marks[at[ascending[at] == chosen]] = True
    return marks


def find_region(graph: HeapGraph, life: Liveness, is_new: Bools) -> Region:
    """The region of the objects in `is_new` (mask over the snapshot)."""
    old_anchors = life.anchors[~is_new[life.anchors]]
    reached = kernels.reachable(life.csr, roots=old_anchors, skip=life.weak, barriers=is_new)
    # A traceback leads to the frames it passed through, the driver's among them: nobody's but leakscan's.
    is_own = (graph.flags & np.uint8(ObjectFlag.OWN)) != 0
    inside = life.is_live & ~(reached & ~is_new) & ~is_own
    objects = np.flatnonzero(inside).astype(np.uint32)
    index = np.full(graph.object_count, NO, np.uint32)
    index[objects] = np.arange(len(objects), dtype=np.uint32)
    csr, edge_refs = _inner_references(graph, life, objects, index)
    entries = np.flatnonzero(inside[graph.ref_targets] & ~life.weak).astype(np.uint32)
    sources = sources_of(graph, entries)
    entries = entries[life.is_live[sources] & ~inside[sources] & ~is_own[sources]]
    csr, edge_refs, entries = _with_weak_entries(graph, life, index, csr, edge_refs, entries)
    root_rows = np.flatnonzero(inside[graph.roots.targets]).astype(np.uint32)
    clearable = np.isin(graph.roots.kinds[root_rows], _CUTTABLE_ROOTS)
    if graph.runtime == "cpython":
        fixed = [graph.root_label(row).startswith(FIXED_MEMORY) for row in root_rows.tolist()]
        clearable &= ~np.array(fixed, np.bool_)
    alone = life.is_held_from_c.copy()
    if len(graph.refcounts):
        alone |= graph.refcounts == IMMORTAL
    alone[graph.roots.targets[root_rows[~clearable]]] = True
    return Region(
        graph=graph,
        objects=objects,
        index=index,
        csr=csr,
        edge_refs=edge_refs,
        entry_refs=entries,
        entry_targets=index[graph.ref_targets[entries]],
        root_rows=root_rows[clearable],
        root_targets=index[graph.roots.targets[root_rows[clearable]]],
        anchored=np.flatnonzero(alone[objects]).astype(np.uint32),
        is_new=is_new[objects],
        sizes=graph.sizes[objects].astype(np.uint64),
    )


def _with_weak_entries(
    graph: HeapGraph, life: Liveness, index: U32, csr: Csr, edge_refs: U32, entries: U32
) -> tuple[Csr, U32, U32]:
    """Entries of tables that go with an object of the region as references of that object.

    One that leads back to that object keeps it, and itself, for ever: it stays a way in.
    """
    chosen = np.flatnonzero(np.isin(life.entries.refs, entries))
    chosen = chosen[index[life.entries.keys[chosen]] != NO]
    if not len(chosen):
        return csr, edge_refs, entries
    refs, sources = life.entries.refs[chosen], index[life.entries.keys[chosen]]
    targets = index[graph.ref_targets[refs]]
    parts = kernels.components(_with_references(csr, sources, targets)[0]).ids
    goes = parts[sources] != parts[targets]
    joined, order = _with_references(csr, sources[goes], targets[goes])
    return joined, np.concatenate((edge_refs, refs[goes]))[order], entries[~np.isin(entries, refs[goes])]


def _with_references(csr: Csr, sources: U32, targets: U32) -> tuple[Csr, npt.NDArray[np.intp]]:
    """(the graph with more references, the order that those of before and then the new ones are in)."""
    counts = (csr.first_ref[1:] - csr.first_ref[:-1]).astype(np.int64)
    every = np.concatenate((np.repeat(np.arange(len(counts), dtype=np.uint32), counts), sources))
    order = np.argsort(every, kind="stable")
    first = np.zeros(len(counts) + 1, np.uint64)
    np.cumsum(np.bincount(every, minlength=len(counts)), out=first[1:])
    return Csr(first, np.concatenate((csr.targets, targets))[order].astype(np.uint32)), order


def _inner_references(graph: HeapGraph, life: Liveness, objects: U32, index: U32) -> tuple[Csr, U32]:
    refs = refs_from(graph, objects)
    counts = (graph.first_ref[objects.astype(np.int64) + 1] - graph.first_ref[objects]).astype(np.int64)
    sources = np.repeat(np.arange(len(objects), dtype=np.uint32), counts)
    targets = index[graph.ref_targets[refs]]
    kept = (targets != NO) & ~life.weak[refs]
    first = np.zeros(len(objects) + 1, np.uint64)
    np.cumsum(np.bincount(sources[kept], minlength=len(objects)), out=first[1:])
    return Csr(first, targets[kept]), refs[kept]
