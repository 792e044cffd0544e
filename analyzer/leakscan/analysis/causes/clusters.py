"""New objects in clusters: one for each new object that would go, with all it holds, if let go by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.heap.graph import U32, U64

Indexes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Clusters:
    """The dominator tree of the held new objects, cut below its virtual root.

    All columns are by number in `new`. `idom` has k for the virtual root; `top` is the head of the cluster
    an object belongs to; `retained` bytes (u64[k]) are those of an object's own subtree.
    """

    new: NewGraph
    idom: U32
    top: U32
    retained: U64

    @property
    def heads(self) -> U32:
        """Heads of all clusters, ascending."""
        return np.flatnonzero(self.idom == len(self.idom)).astype(np.uint32)


def find_clusters(reach: Reach, new: NewGraph) -> Clusters:
    """Dominators over the new objects, with everything old as their one root."""
    tree = kernels.dominators(new.csr, roots=new.entries)
    count = len(new.objects)
    retained = tree.retained_sizes(reach.graph.sizes[new.objects])[:count]
    own = np.arange(count, dtype=np.uint32)
    top = np.where(tree.idom >= count, own, tree.idom).astype(np.uint32)
    # Pointer doubling: as many rounds as the tree's depth has binary digits.
    while not np.array_equal(nearer := top[top], top):
        top = nearer
    return Clusters(new, tree.idom, top, retained)


@dataclass(frozen=True, slots=True)
class Links:
    """References between clusters of different groups, counted.

    Row i: `holding[i]` of the clusters of group `source[i]` reference `held[i]` of those of `target[i]`.
    """

    source: U32
    target: U32
    holding: Indexes
    held: Indexes


def count_links(clusters: Clusters, group_of_head: U32) -> Links:
    """`group_of_head` u32[k]: group of each cluster, at its head."""
    csr = clusters.new.csr
    sources = np.repeat(clusters.top, (csr.first_ref[1:] - csr.first_ref[:-1]).astype(np.int64))
    targets = clusters.top[csr.targets]
    across = sources != targets
    sources, targets = sources[across], targets[across]
    pairs = (group_of_head[sources].astype(np.uint64) << np.uint64(32)) | group_of_head[targets]
    crossing = pairs[(pairs >> np.uint64(32)) != (pairs & np.uint64(0xFFFFFFFF))]
    keys = distinct(crossing)
    return Links(
        (keys >> np.uint64(32)).astype(np.uint32),
        (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        _distinct_by_key(keys, pairs, sources),
        _distinct_by_key(keys, pairs, targets),
    )


def _distinct_by_key(keys: U64, pairs: U64, values: U32) -> Indexes:
    """For each key, how many different values go with it."""
    position = np.searchsorted(keys, pairs)
    found = position < len(keys)
    found[found] = keys[position[found]] == pairs[found]
    both = distinct((position[found].astype(np.uint64) << np.uint64(32)) | values[found])
    return np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=len(keys))
