"""What only an open socket of the runs keeps alive: it goes when the other end answers, if ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Mask
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import BLOCKED, BLOCKED_ROOT, Csr
from leakscan.analysis.slots.reach import Reach
from leakscan.heap.graph import U32
from leakscan.heap.kinds import KIND_MASK, Kind

_SOCKETS: Final = ("TCP", "Pipe", "TLSWrap", "Http2Session")
"""Those with another end, which may close them. A UDP socket stays open until the program closes it."""
_REQUESTS: Final = (
    "HTTPParser",
    "TCPConnectWrap",
    "PipeConnectWrap",
    "WriteWrap",
    "ShutdownWrap",
    "QueryReqWrap",
)
_SERVERS: Final = ("Node / TCPServerWrap", "Node / PipeServerWrap")
"""Node's objects for what libuv has open (`src/async_wrap.h` of Node 18 to 26), held by handles of C++."""


@dataclass(frozen=True, slots=True)
class OpenSockets:
    """Sockets that the runs left open, what lives through them, and what would live without them.

    Two masks over the objects of the snapshot. What only V8's notes in its code keep is in neither.
    """

    count: int
    holds: Mask
    needless: Mask

    def alone_hold(self, heads: U32) -> bool:
        """Whether these survivors would go when the sockets are closed."""
        return bool(self.holds[heads].any()) and not bool(self.needless[heads].any())


def find_open_sockets(reach: Reach) -> OpenSockets:
    """Node holds an open socket from C++. What an object of the program holds as well, a map of connections
    say, stays without that handle. A server that goes on listening is no wait.
    """
    graph, targets = reach.graph, reach.root_targets
    nothing = np.zeros(graph.object_count, np.bool_)
    if graph.runtime != "v8":
        return OpenSockets(0, nothing, nothing)
    names = np.array(graph.type_names)
    is_open = np.isin(graph.type_ids[targets], np.flatnonzero(np.isin(names, (*_SOCKETS, *_REQUESTS))))
    is_open &= reach.survivors.is_new[targets]
    is_open &= ~np.isin(targets, targets[np.isin(np.array(reach.root_labels), _SERVERS)])
    sockets = np.unique(targets[is_open & np.isin(names[graph.type_ids[targets]], _SOCKETS)])
    if not len(sockets):
        return OpenSockets(0, nothing, nothing)
    csr = Csr(graph.first_ref, graph.ref_targets)
    skip = (reach.costs >= BLOCKED) | ((graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.INTERNAL)
    others = targets[~is_open & (reach.root_costs != BLOCKED_ROOT)]
    return OpenSockets(
        len(sockets),
        kernels.reachable(csr, roots=targets[is_open], skip=skip),
        kernels.reachable(csr, roots=others, skip=skip),
    )
