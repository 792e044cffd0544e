"""Drawn snapshots taken through the whole analysis, and its paths as one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heaps import DrawnHeap, heap
from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.causes.leaks import LeakGroup, Limits
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.diff import diff
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.findings import Findings, Leak, Path
from leakscan.analysis.retention import Retention, find_retention, type_history, write_causes
from leakscan.analysis.slots.reach import Reach, explore
from leakscan.heap.census import census

RUNS = 6


def each_run(text: str, runs: int = RUNS) -> str:
    """`text` once for each run, `#` being the number of the run."""
    return "\n".join(text.replace("#", str(run)) for run in range(1, runs + 1))


def found(before: str, grown: str, *, runs: int = RUNS, type_filter: str | None = None) -> Findings:
    """The findings when `grown` is drawn beside `before` once for each run."""
    after = heap(f"{before}\n{each_run(grown, runs)}")
    return diff(heap(before, meta={"births": True}), after, runs=runs, type_filter=type_filter)


def the_leak(before: str, grown: str, *, runs: int = RUNS, type_filter: str | None = None) -> Leak:
    (leak,) = found(before, grown, runs=runs, type_filter=type_filter).leaks
    return leak


def read(path: Path) -> str:
    """`module app > CACHE: dict > ['*']: Run`, types without their module."""
    steps = (f"{step.reference}: {step.type_name.rpartition('.')[2]}" for step in path.steps)
    return " > ".join((path.root, *steps))


def told(
    before: DrawnHeap,
    after: DrawnHeap,
    *,
    runs: int = RUNS,
    type_counts: Mapping[str, Sequence[int | None]] | None = None,
) -> Retention:
    reach = reached(before, after)
    names = SlotNames(after, reach.modules.type_tiers, reach.paths.parent_ref, reach.numbered)
    counted = type_history(census(before), after, reach.survivors, runs=runs, type_counts=type_counts)
    return find_retention(counted, before, reach, names, runs=runs)


def groups(before: DrawnHeap, after: DrawnHeap, *, runs: int = RUNS) -> list[LeakGroup]:
    """The causes between two drawings, written down."""
    return write_causes(told(before, after, runs=runs), Limits(), None)[0]


def reached(before: DrawnHeap, after: DrawnHeap) -> Reach:
    return explore(after, find_survivors(before, after), liveness(after))
