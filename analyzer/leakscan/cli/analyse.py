"""From what a command was pointed at to findings: load, hand over what was measured, analyse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leakscan.cli.capsules import capsule_at
from leakscan.cli.proof import proof_text
from leakscan.cli.sources import Source, Unreadable, source_of, sources_of
from leakscan.errors import CaptureError, LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.analysis.diff import Measured
    from leakscan.analysis.results.findings import Findings
    from leakscan.analysis.results.memory import MemoryLedger
    from leakscan.capture.directory import Capture, Census
    from leakscan.heap.graph import HeapGraph
    from leakscan.report.notebook import Shown


def analysed(
    paths: list[Path], *, type_name: str | None = None, runs_each: int = 0, source_maps: Path | None = None
) -> tuple[list[Findings], list[Unreadable]]:
    """The findings of a capture (one for each of its modes) or of two or more snapshots.

    A mode that cannot be analysed does not hide the others: it is among the unreadable, with the reason.
    Raises the LeakscanError when there is only one.
    """
    capsule = capsule_at(paths, type_name=type_name)
    if capsule is not None:
        from leakscan.report.capsule import findings_of

        return findings_of(capsule), [Unreadable(mode, reason) for mode, reason in capsule.unreadable]
    sources, unreadable = sources_of(paths)
    if len(sources) == 1:
        return [_analyse(sources[0], type_name, runs_each, source_maps)], unreadable
    results = []
    for source in sources:
        try:
            results.append(_analyse(source, type_name, 0, source_maps))
        except LeakscanError as error:
            unreadable.append(Unreadable(source.mode, error.message))
    if not results:
        raise UsageError(f"no mode could be analysed: {unreadable[0].reason}")
    return results, unreadable


def analysed_one(paths: list[Path], *, type_name: str | None = None) -> Findings:
    """The findings of a capture of one mode, or of two snapshots. UsageError names the modes of several."""
    if capsule_at(paths, type_name=type_name) is not None:
        found, _ = analysed(paths)
        if len(found) > 1:
            raise UsageError(f"{paths[0]} holds several modes", hint="bundle one of them: DIR/MODE")
        return found[0]
    sources, _ = sources_of(paths)
    if len(sources) > 1:
        modes = ", ".join(str(paths[0] / source.mode) for source in sources)
        raise UsageError(f"{paths[0]} holds one capture for each mode", hint=f"choose one: {modes}")
    return _analyse(sources[0], type_name, 0)


def shown(*paths: str | Path, type_name: str | None = None) -> Shown:
    """`leakscan.diff("leak/")`: findings of a capture, snapshots or a capsule, as a notebook shows them."""
    from leakscan.report.notebook import Shown

    return Shown(analysed_one([Path(path) for path in paths], type_name=type_name))


def measured_of(capture: Capture, *, runs: int, notes: tuple[str, ...] = ()) -> Measured:
    """What the capture counted after each of the first `runs` runs, and what it says is missing."""
    from leakscan.analysis.diff import Measured
    from leakscan.analysis.results.findings import RunFigures

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
        warnings=(*_warnings(capture), *notes),
    )


def analysed_capture(capture: Capture) -> Findings:
    """The findings of a capture that was just read. CaptureError: it lacks a snapshot."""
    return _analyse(source_of(capture), None, 0)


def _analyse(
    source: Source, type_name: str | None, runs_each: int = 0, source_maps: Path | None = None
) -> Findings:
    from leakscan.report.relative import relative_to

    findings = _findings(source, type_name, runs_each, source_maps)
    started_in = source.capture.started_in if source.capture else ""
    return relative_to(findings, Path(started_in or Path.cwd()))


def _findings(source: Source, type_name: str | None, runs_each: int, source_maps: Path | None) -> Findings:
    from leakscan.analysis.diff import diff
    from leakscan.analysis.series import series
    from leakscan.heap.reader import load
    from leakscan.heap.source_files import SourceFiles
    from leakscan.heap.source_maps import SourceMaps

    maps = SourceMaps(source_maps) if source_maps is not None else None
    capture = source.capture
    if source.after is None:
        if capture is None or type_name is not None:
            raise CaptureError("there is no snapshot after the runs", hint="capture again with --overwrite")
        return _counted(capture)
    if capture is None:
        paths = (source.before, *source.between, source.after)
        return series(
            (load(path, source_maps=maps) for path in paths),
            runs_each=runs_each,
            type_filter=type_name,
            read_source=SourceFiles(),
        )
    if runs_each:
        raise UsageError("a capture knows how many runs it made", hint="leave --runs out")
    before, after = load(source.before, columns=()), load(source.after, source_maps=maps)
    measured = measured_of(capture, runs=source.runs, notes=(source.note,) if source.note else ())
    if capture.runtime == "node":
        after = dated_by_id(capture, after, source.runs)
        measured = with_counts_of(measured, before, after)
    findings = diff(
        before,
        after,
        runs=source.runs,
        warmup=capture.warmup,
        mode=capture.mode,
        target=capture.target,
        measured=measured,
        type_filter=type_name,
        unit=capture.unit,
        read_source=SourceFiles(Path(capture.started_in) if capture.started_in else None),
    )
    return replace(findings, proof=proof_text(capture.proof) if capture.proof else "")


def dated_by_id(capture: Capture, after: HeapGraph, runs: int) -> HeapGraph:
    """The last snapshot of Node with the run that each object was born in, by the ids seen after each."""
    from leakscan.heap.v8_births import with_births

    marks = [row.last_id for row in capture.census if row.phase in ("baseline", "run") and row.run <= runs]
    return with_births(after, marks)


def with_counts_of(measured: Measured, before: HeapGraph, after: HeapGraph) -> Measured:
    """`measured` with the objects of each type in both snapshots, which are the first and the last count."""
    from leakscan.analysis.judge.growth import census

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


def _counted(capture: Capture) -> Findings:
    from leakscan.analysis.counted import findings_from_counts

    counted = [census.types for census in capture.census if census.types is not None]
    first, last = (counted[0], counted[-1]) if counted else ({}, {})
    names = sorted({*first, *last})
    return findings_from_counts(
        measured_of(capture, runs=capture.runs_completed),
        {name: (first.get(name, (0, 0))[1], last.get(name, (0, 0))[1]) for name in names},
        runs=capture.runs_completed,
        warmup=capture.warmup,
        mode=capture.mode,
        target=capture.target,
        runtime=f"{capture.runtime} {capture.version}",
    )


def _memory(capture: Capture, rows: list[Census], settled: Census | None) -> MemoryLedger | None:
    from leakscan.analysis.ledger.ledger import Rounds, memory_ledger
    from leakscan.analysis.results.memory import FileGrowth, NativeSite
    from leakscan.capture.native import traced_sites

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
    return tuple(warnings)
