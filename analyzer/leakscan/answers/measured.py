"""What was measured around the snapshots, as the analysis takes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from leakscan.analysis.diff import Measured
from leakscan.analysis.ledger.ledger import Rounds, memory_ledger
from leakscan.analysis.results.findings import RunFigures
from leakscan.analysis.results.memory import FileGrowth, MemoryLedger, NativeSite
from leakscan.capture.directory.reader import Capture, Census
from leakscan.capture.directory.traced import traced_sites
from leakscan.heap.census import census
from leakscan.heap.graph import HeapGraph


def measured_of(capture: Capture, *, runs: int, notes: tuple[str, ...] = ()) -> Measured:
    """What the capture counted after each of the first `runs` runs, and what it says is missing."""
    rows = [census for census in capture.census if census.phase in ("baseline", "run") and census.run <= runs]
    counted = [row.types for row in rows if row.types is not None]
    type_names = sorted({name for types in counted for name in types})
    is_each_counted = len(counted) == len(rows)
    # The last one: there is one for each time that more runs were asked for.
    settled = next((census for census in reversed(capture.census) if census.phase == "settled"), None)
    return Measured(
        memory=_memory(capture, rows, settled),
        per_run=tuple(
            RunFigures(row.run, row.object_count, row.object_bytes, row.memory.get("rss_bytes", 0))
            for row in rows
        ),
        type_counts={
            name: tuple(None if row.types is None else row.types.get(name, (0, 0))[0] for row in rows)
            for name in type_names
        },
        type_bytes={
            name: tuple(types.get(name, (0, 0))[1] for types in counted)
            for name in (type_names if is_each_counted else ())
        },
        released=_released(rows[-1], settled) if rows and settled is not None else {},
        collected=sum(row.collected for row in rows if row.phase == "run"),
        collected_bytes=next((row.collected_bytes for row in reversed(rows) if row.collected_bytes), 0),
        warnings=(*_warnings(capture), *notes),
        ended_at_limit=capture.ended_at_limit,
    )


def with_counts_of(measured: Measured, before: HeapGraph, after: HeapGraph) -> Measured:
    """`measured` with the objects of each type in both snapshots, which are the first and the last count."""
    first, last = census(before), census(after)
    between = len(measured.per_run) - 2
    names = sorted({*first, *last, *measured.type_counts})
    nothing = (None,) * (between + 2)
    counts = {
        name: (
            first.get(name, (0, 0))[0],
            *measured.type_counts.get(name, nothing)[1:-1],
            last.get(name, (0, 0))[0],
        )
        for name in names
    }
    return replace(measured, type_counts=counts if between >= 0 else {})


def _memory(capture: Capture, rows: list[Census], settled: Census | None) -> MemoryLedger | None:
    figures = [row.memory for row in rows]
    if settled is not None and len(rows) > 1 and settled.run == rows[-1].run:
        # Work in flight has ended by then.
        figures[-1] = settled.memory
    trim = capture.trim if capture.trim is not None and capture.trim.done else None
    return memory_ledger(
        Rounds(
            figures=figures,
            control=[row.memory for row in capture.control],
            allocator=capture.allocator,
            sites=tuple(
                NativeSite(site.bytes, site.blocks, site.owner, site.stack)
                for site in traced_sites(capture.directory)
            ),
            files=tuple(FileGrowth(*row) for row in capture.mappings),
            trimmed_bytes=None if trim is None else trim.before["rss_bytes"] - trim.after["rss_bytes"],
        )
    )


def _released(last: Census, settled: Census) -> dict[str, int]:
    if last.types is None or settled.types is None:
        return {}
    gone = {
        name: count - settled.types.get(name, (0, 0))[0] for name, (count, _) in sorted(last.types.items())
    }
    return {name: count for name, count in gone.items() if count > 0}


def _warnings(capture: Capture) -> tuple[str, ...]:
    warnings = [f"missing: {what}" for what in capture.missing]
    if capture.failure is not None:
        failure = capture.failure
        warnings.append(f"the capture {capture.status} in {failure.phase} {failure.run}: {failure.message}")
    if capture.in_flight is not None:
        tasks = capture.in_flight.tasks_after - capture.in_flight.tasks_at_rest
        if tasks > 0 and capture.runtime == "node":
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(capture.in_flight.kinds.items()))
            warnings.append(
                f"{tasks} timers, sockets or requests of the runs are still open ({kinds}): what only they "
                "keep alive is waiting, and goes when they end; give it a longer --settle, or end them"
            )
        elif tasks > 0:
            warnings.append(
                f"{tasks} tasks of the runs have not ended: work in flight, or tasks that never end"
            )
    if capture.children_returned:
        warnings.append(
            f"{capture.children_returned} child processes that the runs (warm-up included) forked came back "
            "from them and were ended there; this is the parent's answer; end a child with os._exit()"
        )
    if capture.children:
        counted = Counter(capture.children)
        names = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
        warnings.append(f"child processes of the runs are still there, with memory of their own: {names}")
    return tuple(warnings)
