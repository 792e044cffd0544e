"""A drawn snapshot with what the parts after the paths are given: liveness, new objects, names, region."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leakscan.analysis.cuts.cuts import CutSearch, prepare_cuts
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness, liveness
from leakscan.analysis.graph.modules import Tier
from leakscan.analysis.graph.region import Region, find_region
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_WAITING


@dataclass(frozen=True)
class Analysed:
    """Everything born in run 1 or later is new; types of a module are the program's or the library's."""

    graph: HeapGraph

    @cached_property
    def life(self) -> Liveness:
        return liveness(self.graph)

    @cached_property
    def is_new(self) -> np.ndarray:
        return (self.graph.births > 0) & (self.graph.births < BIRTH_WAITING)

    @cached_property
    def names(self) -> SlotNames:
        tiers = np.array([_tier(name) for name in self.graph.type_names], np.uint8)
        found = kernels.shortest_paths(self.life.csr, roots=self.graph.roots.targets)
        return SlotNames(self.graph, tiers, found.parent_ref)

    @cached_property
    def region(self) -> Region:
        return find_region(self.graph, self.life, self.is_new)

    @cached_property
    def cuts(self) -> CutSearch:
        return prepare_cuts(self.region, self.names)


def _tier(type_name: str) -> int:
    if "." not in type_name:
        return Tier.BUILTIN
    return Tier.STDLIB if type_name.partition(".")[0] in sys.stdlib_module_names else Tier.APPLICATION
