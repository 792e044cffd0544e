"""A heap to look around in: the searches that every question needs, each done once and when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Survivors
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness, liveness
from leakscan.analysis.graph.kernels import NO, DominatorTree, Reversed
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.objects.known_as import known_as
from leakscan.analysis.objects.views import Listed, Named
from leakscan.analysis.slots.reach import Reach, explore
from leakscan.heap.graph import U32, U64, HeapGraph
from leakscan.heap.kinds import ObjectFlag

_LONGEST_CHAIN: Final = 200


class Heap:
    """One snapshot and what was computed of it so far. Safe to read from one thread at a time."""

    def __init__(self, graph: HeapGraph) -> None:
        self.graph = graph

    @cached_property
    def life(self) -> Liveness:
        return liveness(self.graph)

    @cached_property
    def reach(self) -> Reach:
        nothing = np.zeros(self.graph.object_count, np.bool_)
        none = np.zeros(0, np.uint32)
        # No identity: nothing is old or new in one snapshot, so no step may say so.
        return explore(self.graph, Survivors(nothing, none, np.zeros(0, np.uint16), ""), self.life)

    @cached_property
    def names(self) -> SlotNames:
        return SlotNames(self.graph, self.reach.modules.type_tiers, self.reach.paths.parent_ref)

    @cached_property
    def dominance(self) -> DominatorTree:
        return kernels.dominators(self.life.csr, roots=self.life.anchors, skip=self.life.weak)

    @cached_property
    def retained(self) -> U64:
        """Bytes that would go with each object; the last is the total."""
        return self.dominance.retained_sizes(self.graph.sizes)

    @cached_property
    def retained_counts(self) -> U64:
        return self.dominance.retained_sizes(np.ones(self.graph.object_count, np.uint32))

    @cached_property
    def below(self) -> kernels.Csr:
        """The dominator tree downwards; the last node is above all roots."""
        return self.dominance.children()

    @cached_property
    def incoming(self) -> Reversed:
        return kernels.reverse(self.life.csr)

    @cached_property
    def is_shown(self) -> np.typing.NDArray[np.bool_]:
        """Objects that belong to the program: neither leakscan's own nor made up by the recorder."""
        return np.asarray((self.graph.flags & np.uint8(ObjectFlag.OWN)) == 0)

    def prepare(self) -> None:
        """Everything that a view needs, so that the first one is as fast as the next."""
        self.prepare_names_and_tree()
        _ = self.retained_counts, self.incoming, self.is_shown

    def prepare_names_and_tree(self) -> None:
        """What names objects, and what hangs on them: side by side, as kernels run without the GIL."""
        _ = self.life
        with ThreadPoolExecutor(1) as beside:
            names = beside.submit(lambda: self.names)
            _ = self.retained, self.below
            names.result()

    def named(self, obj: int) -> Named:
        graph = self.graph
        return Named(
            obj,
            self.label(obj),
            graph.type_name(obj),
            graph.name_of(obj) or "",
            int(graph.sizes[obj]),
            int(self.retained[obj]),
        )

    def label(self, obj: int) -> str:
        """What it is known as, which leads back to it."""
        return known_as(self.names, self.reach.modules, obj)

    def slot(self, obj: int) -> str:
        """The slot that leads to it, as a cut writes it: that of its holder, where it has none of its own."""
        return self.names.holder_label(obj)

    def source(self, ref: int) -> int:
        """The object that this reference starts at."""
        return source_of(self.graph, ref)

    def biggest(self, objects: U32, limit: int) -> U32:
        """The `limit` of these objects that retain most, biggest first, ties by number."""
        sizes = self.retained[objects].astype(np.int64)
        if len(objects) > 4 * limit > 0:
            floor = np.partition(sizes, len(sizes) - limit)[len(sizes) - limit]
            chosen = np.flatnonzero(sizes >= floor)
            objects, sizes = objects[chosen], sizes[chosen]
        order = np.lexsort((objects, -sizes))[:limit]
        return np.asarray(objects[order], np.uint32)

    def listed(self, objects: U32, limit: int) -> Listed:
        chosen = self.biggest(objects, limit).tolist()
        total = int(self.graph.sizes[objects].sum(dtype=np.uint64))
        return Listed(len(objects), total, tuple(map(self.named, chosen)))

    def dominators_of(self, obj: int) -> Sequence[int]:
        """From the immediate dominator upwards; [] when a root holds it directly, or nothing does."""
        chain: list[int] = []
        up = int(self.dominance.idom[obj])
        while up != NO and up < self.graph.object_count and len(chain) < _LONGEST_CHAIN:
            chain.append(up)
            up = int(self.dominance.idom[up])
        return chain

    def dominated_by(self, obj: int) -> U32:
        first = self.below.first_ref
        below = self.below.targets[int(first[obj]) : int(first[obj + 1])]
        return np.asarray(below[self.is_shown[below]], np.uint32)
