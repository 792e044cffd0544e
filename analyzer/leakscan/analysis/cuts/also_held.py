"""Why a cut frees nothing, or not all: the slots through which what it leads to is held as well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Mask, Survivors
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.refs import distinct, sources_of
from leakscan.analysis.slots.reach import explore
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import ObjectFlag

_MOST_SLOTS: Final = 5
_LOOKED_AT: Final = 20_000
"""References whose slot is written; beyond these the counts are of a sample, and said to be at least."""


@dataclass(frozen=True, slots=True)
class AlsoHeld:
    """How many objects some references lead to, and (slot, how many of them it holds as well), most first.

    `is_sample`: there were more references than were looked at, so that the counts are at least.
    """

    led_to: int = 0
    slots: tuple[tuple[str, int], ...] = ()
    is_sample: bool = False


class OtherHolders:
    """Answers for one heap; what names slots is made once, when it is first needed."""

    def __init__(self, graph: HeapGraph, life: Liveness) -> None:
        self._graph, self._life = graph, life
        self._names: SlotNames | None = None

    def of(self, refs: U32, roots: U32, freed: Mask) -> AlsoHeld:
        """Who else holds what these references lead to.

        Those that are `freed` are left out. A slot counts when it is reached without passing one of these
        objects. O(n + m).
        """
        led_to = np.concatenate((self._graph.ref_targets[refs], self._graph.roots.targets[roots]))
        return self._of(led_to, refs, roots, freed)

    def of_rest(self, refs: U32, roots: U32, freed: Mask, among: Mask) -> AlsoHeld:
        """Who holds what stays of `among` behind these references and the `freed` objects. O(n + m)."""
        graph = self._graph
        first = graph.first_ref.astype(np.int64)
        is_led = np.repeat(np.asarray(freed), first[1:] - first[:-1])
        is_led[refs] = True
        led_to = np.concatenate((graph.ref_targets[is_led], graph.roots.targets[roots]))
        return self._of(led_to[np.asarray(among)[led_to]], refs, roots, freed)

    def _of(self, objects: U32, refs: U32, roots: U32, freed: Mask) -> AlsoHeld:
        graph, life = self._graph, self._life
        led_to = distinct(objects)
        led_to = led_to[~np.asarray(freed)[led_to]]
        if not len(led_to):
            return AlsoHeld()
        is_target = np.zeros(graph.object_count, np.bool_)
        is_target[led_to] = True
        skip = life.weak.copy()
        skip[refs] = True
        starts = np.concatenate((np.delete(graph.roots.targets, roots), life.anchors))
        reached = kernels.reachable(life.csr, roots=starts, skip=skip, barriers=is_target) & ~is_target
        into = np.flatnonzero(is_target[graph.ref_targets] & ~np.asarray(skip, np.bool_)).astype(np.uint32)
        sources = sources_of(graph, into)
        is_own = (graph.flags[sources] & np.uint8(ObjectFlag.OWN)) != 0
        into = into[reached[sources] & ~is_own & ~np.asarray(freed)[sources]]
        slots: Counter[tuple[str, int]] = Counter()
        names = self._slot_names()
        for ref in into[:_LOOKED_AT].tolist():
            slots[names.slot_pattern(ref, every=True), int(graph.ref_targets[ref])] += 1
        held = Counter(slot for slot, _ in slots)
        rooted = np.delete(graph.roots.targets, roots)
        for row in np.flatnonzero(np.isin(graph.roots.targets, led_to[np.isin(led_to, rooted)])).tolist():
            if row not in roots:
                held[names.root_pattern(row)] += 1
        found = sorted(held.items(), key=lambda slot: (-slot[1], slot[0]))
        return AlsoHeld(len(led_to), tuple(found[:_MOST_SLOTS]), len(into) > _LOOKED_AT)

    def _slot_names(self) -> SlotNames:
        if self._names is None:
            nothing = np.zeros(self._graph.object_count, np.bool_)
            none = Survivors(nothing, np.zeros(0, np.uint32), np.zeros(0, np.uint16), "")
            reach = explore(self._graph, none, self._life)
            self._names = SlotNames(self._graph, reach.modules.type_tiers, reach.paths.parent_ref)
        return self._names
