"""Who wrote the references: which containers to watch in further runs, and what was seen in them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings, Leak
    from leakscan.capture import Blame, Capture
    from leakscan.capture.directory.run_file import Blamed
    from leakscan.heap.graph import HeapGraph

_LEAKS: Final = 10
_SLOTS: Final = 4
_HOLDERS: Final = 1000
"""Holders that are watched for one slot: lists that hang on old objects are many."""
_MOST_RUNS: Final = 20
_DEEPEST_TREE: Final = 9
"""Nodes of a context's tree above each other, the tree itself included."""
_SWELL: Final = frozenset(
    {"bytearray", "array.array", "_io.BytesIO", "list", "dict", "set", "collections.deque"}
)
"""What gets larger where it lies; text and bytes are replaced by longer ones."""
_MADE_ANEW: Final = 4
"""Objects above one another that are replaced each time what swells in them is."""


def blame_of(captured: Capture, findings: Findings) -> Blame | None:
    """What to ask of the target that still waits. None: nothing leaks, or no object holds what does."""
    from leakscan.capture import Blame
    from leakscan.heap.reader import load

    after = load(captured.after)
    leaks = findings.leaks[:_LEAKS]
    slots = [(leak, pattern) for leak in leaks for pattern in _patterns(leak)]
    asked = tuple((leak.signature, pattern) for leak, pattern in slots)
    if after.runtime == "v8":
        # A snapshot after the further runs says where their entries were made: nothing is watched.
        return Blame(asked, (), min(_MOST_RUNS, captured.runs_completed)) if asked else None
    holders = [
        (number, address, label)
        for number, (leak, pattern) in enumerate(slots)
        for address, label in _holders(after, pattern, swells=not leak.slots)
    ]
    if not holders:
        return None
    return Blame(asked, tuple(holders), min(_MOST_RUNS, captured.runs_completed))


def _patterns(leak: Leak) -> tuple[str, ...]:
    """Its slots; of one object that swells, whose cause has none, the reference that is cut."""
    if leak.slots:
        return leak.slots[:_SLOTS]
    return () if leak.cut is None else tuple(member.pattern for member in leak.cut.members[:_SLOTS])


def _holders(after: HeapGraph, pattern: str, *, swells: bool) -> list[tuple[int, str | None]]:
    """Addresses of what a pattern holds by, what got something last first; the name, if it is one.

    `swells`: what it holds grows by itself. Then it is watched, unless it can only be replaced.
    """
    import numpy as np

    from leakscan.analysis.dialects.pattern_text import parse_pattern
    from leakscan.analysis.dialects.patterns import match_pattern
    from leakscan.analysis.graph.refs import sources_of
    from leakscan.errors import UsageError
    from leakscan.heap.kinds import Kind

    try:
        refs = match_pattern(after, parse_pattern(pattern)).refs.astype(np.uint32)
    except UsageError:
        return []  # what no object holds: a root
    sources = sources_of(after, refs)
    births = after.births[after.ref_targets[refs]] if after.births is not None else np.zeros(len(refs))
    newest_first = np.argsort(-births.astype(np.int64), kind="stable")
    # `x[*]`, `{*}`, and names that come from data: `Service.of_*`.
    is_of_many = "*" in re.split(r"[.\[{]", pattern)[-1]
    ranked: dict[int, str | None] = {}
    for at in newest_first.tolist():
        source, target = int(sources[at]), int(after.ref_targets[refs[at]])
        label = None if is_of_many else _name(after, int(refs[at]))
        if swells and after.type_name(target) not in _SWELL:
            source, label = _old_holder(after, source, label)
        if swells and after.type_name(target) in _SWELL:
            ranked.setdefault(target, None)
        elif after.kind(int(refs[at])) == Kind.CONTEXT:
            ranked.update(dict.fromkeys(_contexts_of(after, source), label))
        else:
            ranked.setdefault(source, label)
        if len(ranked) >= _HOLDERS:
            break
    return [(int(after.addresses[source]), label) for source, label in ranked.items()]


def _old_holder(after: HeapGraph, source: int, label: str | None) -> tuple[int, str | None]:
    """The holder that was there before the runs, where what swells lies in objects that are made anew."""
    import numpy as np

    from leakscan.analysis.graph.refs import sources_of
    from leakscan.heap.kinds import Kind

    at, name = source, label
    for _ in range(_MADE_ANEW):
        if after.births is None or not int(after.births[at]):
            return at, name
        refs = np.flatnonzero(after.ref_targets == at).astype(np.uint32)
        named = [ref for ref in refs.tolist() if after.kind(ref) != Kind.LOCAL and _name(after, ref)]
        if not named:
            break
        at, name = int(sources_of(after, np.array(named[:1], np.uint32))[0]), _name(after, named[0])
    return source, label


def _contexts_of(after: HeapGraph, node: int) -> list[int]:
    """The contexts that a node of their trees belongs to: each store makes nodes anew."""
    import numpy as np

    from leakscan.analysis.graph.refs import sources_of

    found: dict[int, None] = {}
    level = [node]
    for _ in range(_DEEPEST_TREE):
        refs = np.flatnonzero(np.isin(after.ref_targets, np.array(level, np.uint32))).astype(np.uint32)
        above = dict.fromkeys(sources_of(after, refs).tolist())
        found |= {each: None for each in above if after.type_name(each) == "_contextvars.Context"}
        level = [each for each in above if after.type_name(each).startswith("hamt")]
    return list(found)


def _name(after: HeapGraph, ref: int) -> str | None:
    """The name of a reference that is known by one: an attribute, a variable."""
    from leakscan.heap.kinds import Kind

    if after.kind(ref) == Kind.TYPE:
        return "__class__"
    named = (Kind.ATTRIBUTE, Kind.SLOT, Kind.KEY_STR, Kind.CONTEXT, Kind.LOCAL, Kind.CLOSURE)
    return after.label(ref) if after.kind(ref) in named else None


def blamed(findings: Findings, blame: Blamed) -> Findings:
    """The findings with the lines that were seen; those of a leak by its signature."""
    from leakscan.analysis.results.findings import Writer

    of: dict[tuple[str, str], int] = {}
    for row in blame.written:
        of[row.signature, row.pattern] = of.get((row.signature, row.pattern), 0) + row.count
    rows: dict[str, list[Writer]] = {}
    for row in blame.written:
        total = of[row.signature, row.pattern]
        caller = (row.caller_file, row.caller_line, row.caller_function)
        place = (row.pattern, row.file, row.line, row.function, row.count, total, row.runs)
        writer = Writer(*place, *caller, row.task, made=findings.runtime.startswith("v8"))
        rows.setdefault(row.signature, []).append(writer)
    warnings = findings.warnings
    if blame.failed:
        warnings = (*warnings, f"who wrote the references is not known: {blame.failed}")
    return replace(
        findings,
        leaks=tuple(replace(leak, written_by=tuple(rows.get(leak.signature, ()))) for leak in findings.leaks),
        warnings=warnings,
    )
