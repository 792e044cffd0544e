"""One measured piece of work on V8 snapshots in this process: `v8_one.py WORK BEFORE AFTER`."""

from __future__ import annotations

import sys
from pathlib import Path

from leakscan import load
from leakscan.analysis.diff import diff
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import liveness
from measure import measured, report_cost

BEFORE, AFTER = (Path(argument) for argument in sys.argv[2:4])


def loading() -> str:
    graph = load(AFTER)
    return f"{graph.object_count:,} nodes, {graph.meta['edge_count']:,} edges"


def dominators() -> str:
    graph = load(AFTER)
    life = liveness(graph)
    tree = kernels.dominators(life.csr, roots=life.anchors, skip=life.weak)
    return f"largest retains {int(tree.retained_sizes(graph.sizes)[: graph.object_count].max()):,} bytes"


def pair() -> str:
    return diff(load(BEFORE), load(AFTER)).headline[:60]


if __name__ == "__main__":
    report_cost(measured({"load": loading, "dominators": dominators, "diff": pair}[sys.argv[1]]))
