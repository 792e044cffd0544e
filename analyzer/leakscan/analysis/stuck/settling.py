"""Which promises can still be settled, to a fixpoint: what waits for one is alive once it can be settled.

The rule is that of `fixpoint`: begin with everything that acts by itself, settle what it can settle, go on
from what waited for it. Weak references count as a way, for a program may follow them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import Csr
from leakscan.analysis.stuck.promises import Promises

Bools = npt.NDArray[np.bool_]
_FEW: Final = 2_000
"""Objects that are followed one by one before the kernel takes over, which passes the whole heap."""


@dataclass
class Settling:
    """`blocked` are the promises that nothing settles so far, `seen` is what the others reach."""

    promises: Promises
    csr: Csr
    blocked: set[int]
    seen: Bools

    def settle(self) -> None:
        """Settle whatever can be settled, until nothing more can."""
        roots = self.promises.graph.roots.targets
        self.seen = kernels.reachable(self.csr, roots=roots, barriers=self._barriers())
        while ready := self._ready():
            self.blocked -= set(ready)
            self._spread([self.promises.heads[promise] for promise in ready])

    def _ready(self) -> list[int]:
        held_back = {self.promises.heads[promise] for promise in self.blocked}
        return [
            promise
            for promise in sorted(self.blocked)
            if promise in self.promises.known_to_native
            or any(
                self.seen[source] and source not in held_back
                for source in self.promises.settlers.get(promise, ())
            )
        ]

    def _barriers(self) -> Bools:
        barriers = np.zeros(self.promises.graph.object_count, np.bool_)
        barriers[[self.promises.heads[promise] for promise in self.blocked]] = True
        return barriers

    def _spread(self, heads: Sequence[int]) -> None:
        graph = self.promises.graph
        held_back = {self.promises.heads[promise] for promise in self.blocked}
        work = list(heads)
        self.seen[work] = True
        for _ in range(_FEW):
            if not work:
                return
            obj = work.pop()
            if obj in held_back:
                continue
            start, end = int(graph.first_ref[obj]), int(graph.first_ref[obj + 1])
            for target in graph.ref_targets[start:end].tolist():
                if not self.seen[target]:
                    self.seen[target] = True
                    work.append(target)
        barriers = self.seen | self._barriers()
        barriers[work] = False
        barriers[list(held_back)] = True
        self.seen |= kernels.reachable(self.csr, roots=np.array(work, np.uint32), barriers=barriers)


def settled(promises: Promises) -> Settling:
    """The fixpoint. O(n + m) and a pass for each large part that becomes alive."""
    graph = promises.graph
    world = Settling(
        promises,
        Csr(graph.first_ref, graph.ref_targets),
        set(promises.heads),
        np.zeros(graph.object_count, np.bool_),
    )
    world.settle()
    return world
