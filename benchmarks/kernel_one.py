"""Runs one kernel on a stored graph in this process: `kernel_one.py KERNEL DIRECTORY`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO, Csr
from measure import measured, report_cost


def load(directory: Path) -> tuple[Csr, kernels.U32]:
    first = np.fromfile(directory / "first_ref", np.uint64)
    targets = np.fromfile(directory / "targets", np.uint32)
    return Csr(first, targets), np.fromfile(directory / "roots", np.uint32)


def prepared(csr: Csr, roots: kernels.U32) -> Mapping[str, Callable[[], object]]:
    """Each kernel as a call without arguments; what it needs is made here, outside the measured part."""
    n, m = csr.object_count, csr.reference_count
    random = np.random.default_rng(5)
    costs = random.integers(1, 20, m).astype(np.uint16)
    sizes = random.integers(16, 500, n).astype(np.uint32)
    groups = np.where(random.random(n) < 0.01, np.arange(n) % 7, NO).astype(np.uint32)
    new = np.arange(n) >= n - n // 50
    sources = np.repeat(np.arange(n, dtype=np.uint32), np.diff(csr.first_ref).astype(np.int64))
    is_frontier = ~new[sources] & new[csr.targets]
    slots = np.where(is_frontier, sources, NO).astype(np.uint32)
    slot_costs = np.ones(n, np.uint32)
    refcounts = np.bincount(csr.targets, minlength=n).astype(np.uint32)
    tree = kernels.dominators(csr, roots=roots)

    def four_together() -> None:
        kernels.reverse(csr)
        kernels.shortest_paths(csr, roots=roots)
        kernels.dominators(csr, roots=roots).retained_sizes(sizes)

    return {
        "reverse": lambda: kernels.reverse(csr),
        "breadth-first paths": lambda: kernels.shortest_paths(csr, roots=roots),
        "weighted paths": lambda: kernels.shortest_paths(csr, roots=roots, costs=costs),
        "dominators": lambda: kernels.dominators(csr, roots=roots),
        "retained sizes": lambda: tree.retained_sizes(sizes),
        "reverse + paths + dominators + retained": four_together,
        "components": lambda: kernels.components(csr),
        "reachable": lambda: kernels.reachable(csr, roots=roots),
        "owners": lambda: kernels.owners(csr, groups, roots=roots),
        "collector's view": lambda: kernels.collector_reachability(csr, refcounts, roots=roots),
        "count references": lambda: kernels.count_in_references(csr),
        "census": lambda: kernels.census(sizes, sizes, key_count=500),
        "smallest cut": lambda: kernels.min_cut(
            csr, slots, slot_costs, sources=roots, sinks=np.flatnonzero(new)[::100]
        ),
    }


KERNELS = (
    "reverse",
    "breadth-first paths",
    "weighted paths",
    "dominators",
    "retained sizes",
    "reverse + paths + dominators + retained",
    "components",
    "reachable",
    "owners",
    "collector's view",
    "count references",
    "census",
    "smallest cut",
)


def main(kernel: str, directory: str) -> None:
    call = prepared(*load(Path(directory)))[kernel]

    def work() -> None:
        call()

    before = peak_again_mb()
    cost = measured(work)
    report_cost(replace(cost, extra_peak_mb=resident_peak_mb() - before))


def peak_again_mb() -> float:
    """Makes the peak of resident memory start again from now, and returns it (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_peak_mb()


def resident_peak_mb() -> float:
    """Not ru_maxrss, which starts at the parent's size and cannot be reset."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
