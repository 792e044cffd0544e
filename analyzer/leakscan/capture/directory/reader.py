"""Read a capture directory: what was run, what was measured, which snapshots there are.

Any capture that was stopped can be read; what it lacks is in `Capture.missing`, in words.
The files are described in docs/reference/capture-directory.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leakscan.capture.directory.guarded import Box, is_box, read_box
from leakscan.capture.directory.run_file import (
    AFTER,
    ATTACH_MODE,
    BEFORE,
    CENSUS_FILE,
    CONTROL,
    SUFFIXES,
    Blamed,
    Failure,
    InFlight,
    ModesFile,
    Proof,
    RunFile,
    Trim,
    is_capture,
    read_run_file,
)
from leakscan.errors import CaptureError


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """A snapshot of the capture; `run` is the number of runs completed when it was taken."""

    path: Path
    run: int
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class Census:
    """The heap and the memory after one run, settled and collected.

    `phase` is "control" (a round without work), "baseline", "run", or "settled" (after the last run, when
    work in flight had its time to end). `types` maps a type's full name to (count, bytes), None where they
    were not counted. `last_id`: V8 objects with a larger id were born later, 0 where objects are dated by
    the allocator. `collected` are the objects that only the collector could free; they and what went with
    them took `collected_bytes`, None where that was not weighed. `memory` is in bytes and blocks:
    see the reference.
    """

    phase: str
    run: int
    object_count: int
    object_bytes: int
    types: Mapping[str, tuple[int, int]] | None
    memory: Mapping[str, int]
    collected: int
    tasks: int
    seconds: float
    last_id: int = 0
    collected_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture. `runs` were asked for, `runs_completed` were done.

    `status`: complete, interrupted, failed, not-applicable (the scenario has no such end), or running
    (it still is, or it was killed without a word). `ended` counts how the streams ended.
    """

    directory: Path
    target: str
    mode: str
    scenario: str
    runs: int
    runs_completed: int
    warmup: int
    chunks: int
    python: str
    platform: str
    status: str
    missing: tuple[str, ...]
    failure: Failure | None
    snapshots: tuple[SnapshotEntry, ...]
    census: tuple[Census, ...]
    in_flight: InFlight | None
    ended: Mapping[str, int]
    proof: Proof | None = None
    blame: Blamed | None = None
    runtime: str = "cpython"
    """cpython or node; `version` is which"""
    version: str = ""
    started_in: str = ""
    """Working directory of the target; what its files are named relative to."""
    control: tuple[Census, ...] = ()
    """Rounds without work, before the baseline."""
    allocator: str = ""
    """Who serves `malloc` in the target: `glibc`, or the file name of another library; "" when unknown."""
    trim: Trim | None = None
    children: tuple[str, ...] = ()
    """Names of the child processes that the runs started and that are still there."""
    children_returned: int = 0
    """Children that a run forked and that came back from it: leakscan ended them."""
    ended_at_limit: bool = False
    """A guard took the last snapshot, or tried to take another one, because memory ran out."""
    mappings: tuple[tuple[str, int, int], ...] = ()
    """(path, bytes before, bytes after) of the mapped files that more is in memory of, the most first."""

    @property
    def unit(self) -> str:
        """What `runs` counts: runs of a scenario, or the intervals between two looks at a process."""
        return "interval" if self.mode == ATTACH_MODE else "run"

    @property
    def standing(self) -> str:
        """`status` for a sentence: a directory cannot tell a capture that runs from one that was killed."""
        return "running still, or was killed" if self.status == "running" else self.status

    @property
    def before(self) -> Path:
        """The baseline. CaptureError: it was not taken."""
        return self._snapshot(BEFORE)

    @property
    def after(self) -> Path:
        """The last snapshot. CaptureError: it was not taken."""
        return self._snapshot(AFTER)

    def _snapshot(self, stem: str) -> Path:
        for entry in self.snapshots:
            if entry.path.stem == stem and entry.path.exists():
                return entry.path
        if is_box(self.directory):
            reasons = "; ".join(self.missing) or "the process was not at its limit"
            raise CaptureError(
                f"{self.directory} has no {stem}.heap: {reasons}",
                hint="`leakscan top` shows what one snapshot holds",
            )
        why = f": {self.failure.message}" if self.failure is not None else ""
        raise CaptureError(
            f"{self.directory} has no {stem}{SUFFIXES[self.runtime]}; the capture is {self.standing}{why}",
            hint="attach once more with the same -o"
            if self.mode == ATTACH_MODE
            else f"`leakscan diff {self.directory}` shows what was counted; --overwrite captures again",
        )


def read_capture(directory: Path) -> Capture:
    """The capture in that directory. CaptureError: there is none, or it holds several modes."""
    run = read_run_file(directory)
    if isinstance(run, ModesFile):
        modes = [mode for mode, status in run.modes.items() if status == "complete"]
        raise CaptureError(
            f"{directory} holds one capture for each mode",
            hint=f"choose one: {', '.join(str(directory / mode) for mode in modes)}",
        )
    return _capture(directory, run)


def read_captures(directory: Path) -> tuple[Capture, ...]:
    """Every capture in that directory: one, or one for each mode that kept anything, in their order."""
    run = read_run_file(directory)
    if not isinstance(run, ModesFile):
        return (_capture(directory, run),)
    return tuple(read_capture(directory / mode) for mode in run.modes if is_capture(directory / mode))


def _capture(directory: Path, run: RunFile) -> Capture:
    try:
        rounds = tuple(_read_census_file(directory / CENSUS_FILE))
        box = read_box(directory) if is_box(directory) and not rounds else None
        if box is not None:
            rounds = tuple(_rounds_of(box))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CaptureError(
            f"{directory / CENSUS_FILE} is damaged: {error!r}", hint="capture again"
        ) from error
    return Capture(
        directory=directory,
        target=run.target,
        mode=run.mode,
        scenario=run.scenario,
        runs=run.runs,
        runs_completed=run.runs_completed,
        warmup=run.warmup,
        chunks=run.chunks,
        python=run.python,
        platform=run.platform,
        status=run.status,
        missing=run.missing or _missing_of_running(run.status),
        failure=run.error,
        snapshots=tuple(
            SnapshotEntry(directory / entry.file, entry.run, entry.pause_seconds) for entry in run.snapshots
        ),
        census=tuple(row for row in rounds if row.phase != CONTROL),
        in_flight=run.in_flight,
        children=run.children,
        children_returned=run.children_returned,
        ended=run.ended,
        proof=run.proof,
        blame=run.blame,
        runtime=run.runtime,
        version=run.version_of_runtime or run.python,
        started_in=run.started_in,
        control=tuple(row for row in rounds if row.phase == CONTROL),
        allocator=run.allocator,
        trim=run.trim,
        ended_at_limit=box is not None and box.ended_at_limit,
        mappings=run.mappings,
    )


def _missing_of_running(status: str) -> tuple[str, ...]:
    if status != "running":
        return ()
    return ("the end: the capture is still running, or was killed before it could say so",)


def _rounds_of(box: Box) -> Iterator[Census]:
    """What both snapshots of a box hold: nothing was counted between them."""
    from leakscan.capture.directory.census import census_of

    if box.before is None or box.after is None or not box.after.resident_bytes:
        return
    ends = (
        (box.before, 0, box.after.resident_bytes[0]),
        (box.after, box.after.interval, box.after.resident_bytes[-1]),
    )
    for taken, run, resident in ends:
        types, found = census_of(box.directory / taken.file)
        yield Census(
            phase="run" if run else "baseline",
            run=run,
            object_count=sum(count for count, _ in types.values()),
            object_bytes=sum(size for _, size in types.values()),
            types=None,
            memory={"rss_bytes": resident, **found},
            collected=0,
            tasks=0,
            seconds=0.0,
        )


def _read_census_file(path: Path) -> Iterator[Census]:
    if not path.exists():
        return
    types: dict[str, tuple[int, int]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return  # cut while it was written: the run it tells of is not counted as completed
            row = json.loads(line)
            for name, (count, size) in (row["types"] or {}).items():
                types[name] = (count, size)
                if not count:
                    del types[name]
            yield Census(
                phase=row["phase"],
                run=row["run"],
                object_count=row["object_count"],
                object_bytes=row["object_bytes"],
                types=None if row["types"] is None else dict(types),
                memory=row["memory"],
                collected=row["collected"],
                tasks=row["tasks"],
                seconds=row["seconds"],
                last_id=row.get("last_id", 0),
                collected_bytes=row.get("collected_bytes"),
            )
