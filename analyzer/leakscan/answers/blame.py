"""Who wrote the references: which containers to watch in further runs, and what was seen in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings
    from leakscan.capture import Blame, Capture
    from leakscan.capture.directory.run_file import Blamed
    from leakscan.heap.graph import HeapGraph

_LEAKS: Final = 10
_SLOTS: Final = 4
_HOLDERS: Final = 1000
"""Containers that are watched for one leak: lists that hang on old objects are many."""
_MOST_RUNS: Final = 20
_WATCHED: Final = frozenset(
    ("dict", "list", "set", "collections.deque", "collections.defaultdict", "collections.OrderedDict")
)


def blame_of(captured: Capture, findings: Findings) -> Blame | None:
    """What to ask of the target that still waits. None: nothing that leaks lies in a container."""
    from leakscan.capture import Blame
    from leakscan.heap.reader import load

    after = load(captured.after)
    leaks = findings.leaks[:_LEAKS]
    slots = [(leak, pattern) for leak in leaks for pattern in leak.slots[:_SLOTS]]
    holders = [
        (number, address) for number, (_, pattern) in enumerate(slots) for address in _holders(after, pattern)
    ]
    if not holders:
        return None
    asked = tuple((leak.signature, pattern) for leak, pattern in slots)
    return Blame(asked, tuple(holders), min(_MOST_RUNS, captured.runs_completed))


def _holders(after: HeapGraph, pattern: str) -> list[int]:
    """Addresses of the containers that a pattern names."""
    import numpy as np

    from leakscan.analysis.dialects.pattern_text import parse_pattern
    from leakscan.analysis.dialects.patterns import match_pattern
    from leakscan.analysis.graph.refs import distinct, sources_of
    from leakscan.errors import UsageError

    try:
        refs = match_pattern(after, parse_pattern(pattern)).refs
    except UsageError:
        return []  # what lies in no container: a local, a root
    holders = distinct(sources_of(after, refs.astype(np.uint32)))[:_HOLDERS].tolist()
    return [int(after.addresses[each]) for each in holders if after.type_name(each) in _WATCHED]


def blamed(findings: Findings, blame: Blamed) -> Findings:
    """The findings with the lines that were seen; those of a leak by its signature."""
    from leakscan.analysis.results.findings import Writer

    of: dict[tuple[str, str], int] = {}
    for row in blame.written:
        of[row.signature, row.pattern] = of.get((row.signature, row.pattern), 0) + row.count
    rows: dict[str, list[Writer]] = {}
    for row in blame.written:
        total = of[row.signature, row.pattern]
        writer = Writer(row.pattern, row.file, row.line, row.function, row.count, total)
        rows.setdefault(row.signature, []).append(writer)
    warnings = findings.warnings
    if blame.failed:
        warnings = (*warnings, f"who wrote the references is not known: {blame.failed}")
    return replace(
        findings,
        leaks=tuple(replace(leak, written_by=tuple(rows.get(leak.signature, ()))) for leak in findings.leaks),
        warnings=warnings,
    )
