"""Who wrote the references, in V8: the functions in which the entries of the further runs were made."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leakscan.capture import Capture, MadeIn
    from leakscan.capture.directory.run_file import Written
    from leakscan.heap.graph import HeapGraph
    from leakscan.heap.v8_traces import Function, Traces

_OWN: Final = "/leakscan/record/node/"
_LIBRARY: Final = "/node_modules/"
_MOST: Final = 5
"""Functions that are told of one slot."""


def made_in(captured: Capture) -> MadeIn | None:
    """What a traced snapshot says about the slots that were asked about. None: there is none to read."""
    from leakscan.capture import TRACED_FILE, MadeIn
    from leakscan.errors import LeakscanError
    from leakscan.heap.reader import load
    from leakscan.heap.v8_traces import Traces

    file = captured.directory / TRACED_FILE
    if captured.blame is None or captured.blame.failed or not file.exists():
        return None
    try:
        graph, traces = load(file), Traces(file)
    except LeakscanError as error:
        return MadeIn((), error.message)
    rows = [row for slot in captured.blame.slots for row in _rows(graph, traces, *slot)]
    return MadeIn(tuple(rows), "" if rows else "no entry of the further runs has a stack")


def _rows(graph: HeapGraph, traces: Traces, signature: str, pattern: str) -> list[Written]:
    import numpy as np

    from leakscan.analysis.dialects.pattern_text import parse_pattern
    from leakscan.analysis.dialects.patterns import match_pattern
    from leakscan.analysis.graph.refs import kinds_of
    from leakscan.capture.directory.run_file import Written
    from leakscan.errors import UsageError
    from leakscan.heap.kinds import Kind

    try:
        refs = match_pattern(graph, parse_pattern(pattern)).refs.astype(np.uint32)
    except UsageError:
        return []
    counts: Counter[tuple[Function, Function | None]] = Counter()
    # An object with many properties keeps their names in the same table.
    refs = refs[~np.isin(kinds_of(graph, refs), (Kind.KEY, Kind.INTERNAL, Kind.WEAK))]
    for node in np.unique(graph.addresses[graph.ref_targets[refs]]).tolist():
        place = _place(traces.stack_of(int(node)))
        if place is not None:
            counts[place] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0][0].file, item[0][0].line))
    return [
        Written(
            signature=signature,
            pattern=pattern,
            file=function.file,
            line=function.line,
            function=function.name or "(anonymous)",
            count=count,
            caller_file=caller.file if caller else "",
            caller_line=caller.line if caller else 0,
            caller_function=(caller.name or "(anonymous)") if caller else "",
        )
        for (function, caller), count in ranked[:_MOST]
    ]


def _place(stack: tuple[Function, ...]) -> tuple[Function, Function | None] | None:
    """The innermost function that has a file, and that of the program which led to it in a library."""
    files = [each for each in stack if each.file and not each.file.startswith("node:")]
    written = [each for each in files if _OWN not in each.file]
    if not written:
        return None
    own = next((each for each in written if _LIBRARY not in each.file), None)
    return written[0], None if own is written[0] else own
