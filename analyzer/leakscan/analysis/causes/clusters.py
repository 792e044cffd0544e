"""Dominators over the new objects: what would go with each of them, were it let go by itself."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.graph import kernels
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.heap.graph import U32, U64


@dataclass(frozen=True)
class Clusters:
    """The dominator tree of the held new objects; columns by number in `new`.

    `idom` has k for the virtual root, `retained` bytes (u64[k]) are those of an object's own subtree, `depth`
    (u32[k]) is how many references lie between it and the nearest entry.
    """

    new: NewGraph
    idom: U32
    retained: U64
    depth: U32


def find_clusters(reach: Reach, new: NewGraph, csr: kernels.Csr, starts: U32) -> Clusters:
    """Dominators over the new objects, with everything old as their one root.

    `starts` are the objects that lie in slots worth telling of. What only others lead to is not in the tree.
    """
    tree = kernels.dominators(csr, roots=starts)
    count = len(new.objects)
    retained = tree.retained_sizes(reach.graph.sizes[new.objects])[:count]
    depth = kernels.shortest_paths(csr, roots=starts).distance
    return Clusters(new, tree.idom, retained, depth)
