"""Findings whose source files are written as seen from one directory: shorter, and alike on two machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from leakscan.analysis.results.findings import Cut, Findings, Leak, Path, Writer
from leakscan.analysis.results.waits import Stuck


def relative_to(findings: Findings, directory: PurePath) -> Findings:
    """The same findings; files below `directory` without it, the others as they are."""
    start = str(directory).rstrip("/\\") + ("\\" if "\\" in str(directory) else "/")
    if start in ("/", "\\"):
        return findings
    return replace(
        findings,
        leaks=tuple(_leak(leak, start) for leak in findings.leaks),
        others=tuple(_leak(leak, start) for leak in findings.others),
        noise=tuple(_leak(leak, start) for leak in findings.noise),
        cut=_cut(findings.cut, start),
        stuck=_stuck(findings.stuck, start),
    )


def _leak(leak: Leak, start: str) -> Leak:
    holder = leak.holder
    return replace(
        leak,
        path=_path(leak.path, start),
        also_held_by=tuple(_path(path, start) for path in leak.also_held_by),
        holder=None if holder is None else replace(holder, file=holder.file.removeprefix(start)),
        cut=_cut(leak.cut, start),
        written_by=tuple(_writer(writer, start) for writer in leak.written_by),
        sites=tuple((file.removeprefix(start), line, name, count) for file, line, name, count in leak.sites),
    )


def _path(path: Path, start: str) -> Path:
    steps = tuple(
        replace(step, file=step.file.removeprefix(start)) if step.file else step for step in path.steps
    )
    return replace(path, steps=steps)


def _cut(cut: Cut | None, start: str) -> Cut | None:
    if cut is None:
        return None
    members = (replace(member, file=member.file.removeprefix(start)) for member in cut.members)
    return replace(cut, members=tuple(members))


def _stuck(stuck: Stuck | None, start: str) -> Stuck | None:
    if stuck is None:
        return None
    groups = (
        replace(
            group,
            chain=tuple(replace(step, file=step.file.removeprefix(start)) for step in group.chain),
        )
        for group in stuck.groups
    )
    return replace(stuck, groups=tuple(groups))


def _writer(writer: Writer, start: str) -> Writer:
    file, caller = writer.file.removeprefix(start), writer.caller_file.removeprefix(start)
    return replace(writer, file=file, caller_file=caller)
