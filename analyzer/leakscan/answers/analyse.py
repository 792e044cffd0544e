"""From what a command was pointed at to findings: load, hand over what was measured, analyse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from leakscan.analysis.counts_alone import findings_from_counts
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Findings
from leakscan.analysis.series import series
from leakscan.answers.blame import blamed
from leakscan.answers.measured import measured_of, with_counts_of
from leakscan.answers.proof import proof_text
from leakscan.answers.relative import relative_to
from leakscan.answers.sources import Source, Unreadable, source_of, sources_of
from leakscan.capture.directory.reader import Capture
from leakscan.errors import CaptureError, LeakscanError, UsageError
from leakscan.heap.graph import HeapGraph
from leakscan.heap.reader import load, load_earlier
from leakscan.heap.sniff import is_capsule
from leakscan.heap.source_files import SourceFiles
from leakscan.heap.source_maps import SourceMaps
from leakscan.heap.v8_births import with_births


def analysed(
    paths: list[Path], *, type_name: str | None = None, runs_each: int = 0, source_maps: Path | None = None
) -> tuple[list[Findings], list[Unreadable]]:
    """The findings of a capture (one for each of its modes) or of two or more snapshots.

    A mode that cannot be analysed does not hide the others: it is among the unreadable, with the reason.
    Raises the LeakscanError when there is only one.
    """
    if len(paths) == 1 and is_capsule(paths[0]):
        return _kept(paths, type_name)
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


def _kept(paths: list[Path], type_name: str | None) -> tuple[list[Findings], list[Unreadable]]:
    # Only who points at a capsule pays for what else it holds.
    from leakscan.analysis.capsule import findings_of
    from leakscan.answers.capsules import capsule_at

    capsule = capsule_at(paths, type_name=type_name)
    assert capsule is not None
    return findings_of(capsule), [Unreadable(mode, reason) for mode, reason in capsule.unreadable]


def analysed_one(paths: list[Path], *, type_name: str | None = None) -> Findings:
    """The findings of a capture of one mode, or of two snapshots. UsageError names the modes of several."""
    if len(paths) == 1 and is_capsule(paths[0]):
        _kept(paths, type_name)
        found, _ = analysed(paths)
        if len(found) > 1:
            raise UsageError(f"{paths[0]} holds several modes", hint="bundle one of them: DIR/MODE")
        return found[0]
    sources, _ = sources_of(paths)
    if len(sources) > 1:
        modes = ", ".join(str(paths[0] / source.mode) for source in sources)
        raise UsageError(f"{paths[0]} holds one capture for each mode", hint=f"choose one: {modes}")
    return _analyse(sources[0], type_name, 0)


def analysed_as_numbered(paths: list[Path]) -> Findings:
    """As `analysed_one`, but the objects of paths have their numbers in the last snapshot, plus one."""
    sources, _ = sources_of(paths)
    if len(sources) > 1:
        raise UsageError(f"{paths[0]} holds several captures", hint="choose one of its folders")
    return _analyse(sources[0], None, as_in_snapshot=True)


def analysed_capture(capture: Capture) -> Findings:
    """The findings of a capture that was just read. CaptureError: it lacks a snapshot."""
    return _analyse(source_of(capture), None, 0)


def _analyse(
    source: Source,
    type_name: str | None,
    runs_each: int = 0,
    source_maps: Path | None = None,
    *,
    as_in_snapshot: bool = False,
) -> Findings:
    findings = _findings(source, type_name, runs_each, source_maps, as_in_snapshot=as_in_snapshot)
    if source.worker:
        findings = replace(findings, mode=source.worker)
    started_in = source.capture.started_in if source.capture else ""
    return relative_to(findings, Path(started_in or Path.cwd()))


def _findings(
    source: Source,
    type_name: str | None,
    runs_each: int,
    source_maps: Path | None,
    *,
    as_in_snapshot: bool,
) -> Findings:
    maps = SourceMaps(source_maps) if source_maps is not None else None
    capture = source.capture
    if source.after is None:
        if capture is None or type_name is not None:
            raise CaptureError("there is no snapshot after the runs", hint="capture again with --overwrite")
        return _counted(capture)
    if capture is None:
        later = (*source.between, source.after)
        return series(
            _of_one_process(
                chain(
                    (load_earlier(source.before, source_maps=maps),),
                    (load(path, source_maps=maps, stays_open=True) for path in later),
                )
            ),
            runs_each=runs_each,
            type_filter=type_name,
            read_source=SourceFiles(),
            as_in_snapshot=as_in_snapshot,
        )
    if runs_each:
        raise UsageError("a capture knows how many runs it made", hint="leave --runs out")
    before, after = load_earlier(source.before), load(source.after, source_maps=maps, stays_open=True)
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
        as_in_snapshot=as_in_snapshot,
    )
    findings = replace(findings, proof=proof_text(capture.proof) if capture.proof else "")
    return blamed(findings, capture.blame) if capture.blame else findings


_RUNTIMES: Final = {"cpython": "Python", "v8": "JavaScript"}


def _of_one_process(snapshots: Iterable[HeapGraph]) -> Iterator[HeapGraph]:
    """The snapshots; UsageError when two of CPython say that they are of two processes.

    Addresses and births of two processes have nothing to do with each other: every object would look new.
    """
    first: HeapGraph | None = None
    for graph in snapshots:
        if first is not None and first.runtime != graph.runtime:
            raise UsageError(
                f"{first.path} is a heap of {_RUNTIMES.get(first.runtime, first.runtime)},"
                f" {graph.path} one of {_RUNTIMES.get(graph.runtime, graph.runtime)}:"
                " nothing in one can be found again in the other",
                hint="give two snapshots of one process",
            )
        known, pid = (None if first is None else first.meta.get("pid")), graph.meta.get("pid")
        if first is not None and known is not None and pid is not None and known != pid:
            raise UsageError(
                f"{first.path} is of process {known}, {graph.path} of process {pid}: nothing in one can be"
                " found again in the other",
                hint="`leakscan compare A B` compares two captures, leak by leak",
            )
        first = first or graph
        yield graph


def dated_by_id(capture: Capture, after: HeapGraph, runs: int) -> HeapGraph:
    """The last snapshot of Node with the run that each object was born in, by the ids seen after each."""
    marks = [row.last_id for row in capture.census if row.phase in ("baseline", "run") and row.run <= runs]
    return with_births(after, marks)


def _counted(capture: Capture) -> Findings:
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
