"""Bare snapshots of one process, in the order they were taken, to findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Final

from leakscan.analysis.causes.leaks import Limits
from leakscan.analysis.counts_alone import findings_from_counts
from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.headline import headline
from leakscan.analysis.lines.sourcelines import ReadSource
from leakscan.analysis.results.findings import Findings, RunFigures, Verdict
from leakscan.errors import UsageError
from leakscan.heap.census import census
from leakscan.heap.graph import HeapGraph
from leakscan.heap.v8_births import ids_agree, last_id, own_scripts, with_births

Counts = dict[str, tuple[int, int]]

_ANOTHER_NUMBERING: Final = (
    "ids of nodes are not the same in all snapshots: another process, or a runtime that numbers anew each "
    "time (Bun); counts are all that can be compared"
)


def series(
    snapshots: Iterable[HeapGraph],
    *,
    runs_each: int = 0,
    type_filter: str | None = None,
    limits: Limits | None = None,
    read_source: ReadSource | None = None,
    as_in_snapshot: bool = False,
) -> Findings:
    """What survived from the first snapshot to the last; births by interval when there are three or more.

    `runs_each`: how often the scenario ran between one snapshot and the next, 0 when nobody knows. Snapshots
    between are let go of as soon as the next one is asked for. Only V8's nodes are dated by other snapshots:
    UsageError for three or more of CPython, or with `runs_each`.
    """
    first: HeapGraph | None = None
    graph: HeapGraph | None = None
    marks: list[int] = []
    counts: list[Counts] = []
    is_one_process = True
    for graph in snapshots:
        if first is None:
            first = graph
        if graph.runtime == "v8":
            marks.append(last_id(graph))
            is_one_process &= graph is first or ids_agree(first, graph)
        counts.append(census(graph) if graph.runtime == "v8" else {})
    if first is None or graph is None or graph is first:
        raise UsageError("a diff needs two or more snapshots")
    intervals = len(counts) - 1
    if first.runtime != "v8" or graph.runtime != "v8":
        if intervals > 1 or runs_each:
            raise UsageError(
                "only snapshots of V8 date their objects by the snapshots between",
                hint="give the first and the last, or a capture directory",
            )
        unit = "interval" if graph.meta.get("attached") else "run"
        return diff(
            first,
            graph,
            type_filter=type_filter,
            limits=limits,
            unit=unit,
            read_source=read_source,
            as_in_snapshot=as_in_snapshot,
        )
    measured = _measured(counts)
    if not is_one_process:
        _check_programs(first, graph)
        return _counts_only(graph, measured, counts)
    if any(later < earlier for earlier, later in pairwise(marks)):
        raise UsageError(
            "the snapshots are not in the order they were taken",
            hint="name the oldest first, the youngest last",
        )
    if intervals == 1 and not runs_each:
        found = diff(first, graph, type_filter=type_filter, limits=limits, as_in_snapshot=as_in_snapshot)
        return _with_next(found, first, graph)
    return diff(
        first,
        with_births(graph, marks),
        runs=intervals,
        measured=measured,
        type_filter=type_filter,
        limits=limits,
        unit="interval",
        runs_each=runs_each,
        as_in_snapshot=as_in_snapshot,
    )


def _check_programs(first: HeapGraph, last: HeapGraph) -> None:
    """UsageError when the two heaps, which are not of one process, have no script of a program in common."""
    scripts = own_scripts(first), own_scripts(last)
    if all(scripts) and not (scripts[0] & scripts[1]):
        one, other = (min(each, key=lambda file: (file.count("/"), file)) for each in scripts)
        raise UsageError(
            f"the snapshots are of two different programs: {one} and {other}",
            hint="give snapshots of one process; `leakscan compare A B` compares two captures, leak by leak",
        )


def _with_next(findings: Findings, first: HeapGraph, last: HeapGraph) -> Findings:
    """Two snapshots rarely decide; a third one after as many runs again does."""
    if findings.verdict is not Verdict.INCONCLUSIVE or not first.path or not last.path:
        return findings
    findings = replace(findings, next_command=f"leakscan diff {first.path} {last.path} THIRD --runs N")
    return replace(findings, headline=headline(findings))


def _measured(counts: list[Counts]) -> Measured:
    names = sorted({name for row in counts for name in row})
    return Measured(
        per_run=tuple(
            RunFigures(
                number, sum(count for count, _ in row.values()), sum(size for _, size in row.values()), 0
            )
            for number, row in enumerate(counts)
        ),
        type_counts={name: tuple(row.get(name, (0, 0))[0] for row in counts) for name in names},
        type_bytes={name: tuple(row.get(name, (0, 0))[1] for row in counts) for name in names},
    )


def _counts_only(graph: HeapGraph, measured: Measured, counts: list[Counts]) -> Findings:
    names = sorted({*counts[0], *counts[-1]})
    return findings_from_counts(
        measured,
        {name: (counts[0].get(name, (0, 0))[1], counts[-1].get(name, (0, 0))[1]) for name in names},
        runs=len(counts) - 1,
        warmup=0,
        mode="",
        target="",
        runtime=graph.runtime,
        why=_ANOTHER_NUMBERING,
        unit="interval",
    )
