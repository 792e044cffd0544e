"""What leakscan counted against what objgraph and guppy3 counted in the same heap, type by type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import IMMORTAL, ObjectFlag

_IN_PASSING: Final = 3
"""Objects that a tool makes while it counts: its own list, frame, iterator, dict of results."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A type that two tools count differently. `why` is "" when no reason is known."""

    type_name: str
    leakscan: int
    other: int
    why: str


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """leakscan against one other tool. Bytes are 0 where the other tool does not tell them.

    `objects`, `other_objects`, `bytes`, `other_bytes` are the totals of what both look at.
    """

    tool: str
    version: str
    looks_at: str
    types: int
    objects: int
    other_objects: int
    bytes: int
    other_bytes: int
    disagreements: tuple[Disagreement, ...]

    @property
    def unexplained(self) -> tuple[Disagreement, ...]:
        return tuple(each for each in self.disagreements if not each.why)


def compare_counts(graph: HeapGraph, counted: Mapping[str, Any]) -> tuple[CrossCheck, ...]:
    """One comparison for each tool in `counted` (Any: JSON values, from record/cross_check.py)."""
    checks = []
    for tool, found in sorted(counted.items()):
        is_tracked_only = tool == "objgraph"
        ours = _counts(graph, tracked_only=is_tracked_only)
        theirs = {name: (int(count), int(size)) for name, (count, size) in found["types"].items()}
        names = sorted({*ours, *theirs})
        different = [
            Disagreement(name, ours.get(name, (0, 0))[0], theirs.get(name, (0, 0))[0], "")
            for name in names
            if ours.get(name, (0, 0))[0] != theirs.get(name, (0, 0))[0]
        ]
        told = [
            Disagreement(each.type_name, each.leakscan, each.other, _why(tool, each)) for each in different
        ]
        told.sort(key=lambda each: (bool(each.why), -abs(each.leakscan - each.other), each.type_name))
        has_bytes = any(size for _, size in theirs.values())
        checks.append(
            CrossCheck(
                tool=tool,
                version=str(found["version"]),
                looks_at="objects the collector tracks" if is_tracked_only else "objects it can reach",
                types=len(names),
                objects=sum(count for count, _ in ours.values()),
                other_objects=sum(count for count, _ in theirs.values()),
                bytes=sum(size for _, size in ours.values()) if has_bytes else 0,
                other_bytes=sum(size for _, size in theirs.values()),
                disagreements=tuple(told),
            )
        )
    return tuple(checks)


def _counts(graph: HeapGraph, *, tracked_only: bool) -> dict[str, tuple[int, int]]:
    chosen = (graph.flags & ObjectFlag.SYNTHETIC) == 0
    if tracked_only:
        # A collection sets immortal objects aside, in a generation that gc.get_objects() leaves out
        # (`update_refs` of CPython 3.12's Modules/gcmodule.c).
        chosen &= ((graph.flags & ObjectFlag.TRACKED) != 0) & (graph.refcounts != IMMORTAL)
    types = graph.type_ids[chosen]
    counts = np.bincount(types, minlength=len(graph.types)).tolist()
    sizes = np.bincount(types, weights=graph.sizes[chosen], minlength=len(graph.types)).tolist()
    found: dict[str, tuple[int, int]] = {}
    for name, count, size in zip(graph.type_names, counts, sizes, strict=True):
        if count:
            known = found.get(name, (0, 0))
            found[name] = (known[0] + count, known[1] + int(size))
    return found


def _why(tool: str, found: Disagreement) -> str:
    more = found.leakscan - found.other
    if abs(more) <= _IN_PASSING:
        return f"made or gone while {tool} counts"
    if tool == "objgraph":
        if found.type_name.startswith("ctypes."):
            return "classes that ctypes makes have another name there"
        return "running frames are not in the collector's lists" if found.type_name == "frame" else ""
    if "guppy" in found.type_name or found.type_name.startswith("sets.setsc"):
        return "guppy3 leaves itself out"
    if found.type_name == "dict" and more < 0:
        return "guppy3 gives every instance a __dict__ that was not there"
    if more > 0 and found.other == 0:
        return "guppy3 has no root that leads there, or calls the type by another name"
    if found.leakscan == 0:
        return "guppy3 calls the type by a name of its own"
    return "objects that only C, guppy3 itself or the interpreter's tables hold" if more > 0 else ""
