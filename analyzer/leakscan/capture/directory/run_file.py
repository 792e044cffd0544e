"""`run.json`: what it says, as a frozen dataclass, the one way to read it and the one way to write it.

docs/reference/capture-directory.md describes it for users, docs/schema/capture-1.json for programs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leakscan import __version__
from leakscan.capture.directory.guarded import Box, is_box, read_box
from leakscan.errors import CaptureError
from leakscan.json_values import OURS, NotAnAnswer, as_plain, read_as

RUN_FILE = "run.json"
CENSUS_FILE = "census.jsonl"
BEFORE, AFTER = "before", "after"
"""Stems of the first and the last snapshot."""
SUFFIXES = {"cpython": ".heap", "node": ".heapsnapshot"}
BEFORE_FILE, AFTER_FILE = "before.heap", "after.heap"
CAPTURE_VERSION = 1
CONTROL = "control"
ATTACH_MODE = "attach"
TREE_MODE = "tree"
"""One capture for each worker of a supervisor, as other directories hold one for each mode."""


CAPTURE_FORMAT: Final = "leakscan-capture"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a capture stopped. `phase`: import, warm-up, baseline, run, settle, snapshot, process."""

    phase: str
    run: int
    type_name: str
    message: str
    hint: str
    traceback: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """Tasks of the event loop around the wait for work in flight to end.

    Of Node: timers, sockets and requests that keep its loop alive; `kinds` counts those left by kind.
    """

    tasks_at_rest: int
    tasks_before: int
    tasks_after: int
    waited_seconds: float
    kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """A cut applied for real: `freed` of the `of` survivors went; `failed` says why it could not be tried.

    `others_freed` of the `others_of` objects that hang on them went too. `cut` are the patterns, `types`
    those of the survivors.
    """

    cut: tuple[str, ...]
    types: tuple[str, ...]
    of: int
    freed: int
    others_of: int
    others_freed: int
    not_cleared: tuple[str, ...]
    failed: str


@dataclass(frozen=True, slots=True)
class Written:
    """A line that wrote into a leak's slot `count` times, in `runs` of the runs made to see it.

    `caller_*` are the nearest line of the program where the line is a library's; `task` is the coroutine of
    the asyncio task that was under way.
    """

    signature: str
    pattern: str
    file: str
    line: int
    function: str
    count: int
    runs: int = 0
    caller_file: str = ""
    caller_line: int = 0
    caller_function: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class Blamed:
    """Who wrote the references into `slots` (signature, pattern); `failed` says why nobody was seen."""

    slots: tuple[tuple[str, str], ...]
    runs: int
    written: tuple[Written, ...]
    failed: str


@dataclass(frozen=True, slots=True)
class Trim:
    """Memory around `malloc_trim`, after everything; `done` is False where glibc does not serve malloc."""

    done: bool
    before: Mapping[str, int]
    after: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """A snapshot file; `run` is the number of runs completed when it was taken.

    Of a process that was attached to, also when it was taken, and the target's own count of the interval.
    """

    file: str
    run: int
    pause_seconds: float
    bytes: int = 0
    time_unix: float | None = None
    interval: int | None = None

    @property
    def stem(self) -> str:
        return Path(self.file).stem


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """One capture: how it was asked for, what ran, how it went, and what is missing."""

    leakscan: str = __version__
    status: str
    target: str
    mode: str
    scenario: str = ""
    runs: int
    runs_completed: int = 0
    warmup: int
    chunks: int
    births: bool = False
    sites: bool = False
    redacted: bool = False
    """Dict keys were left out of the snapshots."""
    values: bool = False
    """What texts say that occur often was recorded."""
    runtime: str = "cpython"
    python: str
    implementation: str = ""
    version_of_runtime: str = ""
    platform: str = ""
    executable: str = ""
    started_in: str = ""
    """Working directory of the target."""
    pid: int = 0
    process_started: int | None = None
    """Clock ticks since boot, of a process that was attached to."""
    started_unix: float = 0.0
    ended_unix: float | None = None
    snapshots: tuple[SnapshotRow, ...] = ()
    census: str = CENSUS_FILE
    ended: Mapping[str, int] = field(default_factory=dict)
    in_flight: InFlight | None = None
    children: tuple[str, ...] = ()
    """Child processes that the runs started and that are still there."""
    children_returned: int = 0
    """Children that a run forked and that came back from it, to be ended by leakscan."""
    proof: Proof | None = None
    blame: Blamed | None = None
    trim: Trim | None = None
    allocator: str = ""
    mappings: tuple[tuple[str, int, int], ...] = ()
    missing: tuple[str, ...] = ()
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModesFile:
    """The run.json above one capture for each mode: mode to status."""

    leakscan: str = __version__
    target: str = ""
    mode: str = "all"
    modes: Mapping[str, str]


def begun(
    *,
    target: str,
    mode: str,
    runs: int,
    python: str,
    warmup: int = 0,
    chunks: int = 0,
    runtime: str = "cpython",
    births: bool = True,
    sites: bool = False,
    redacted: bool = False,
    values: bool = False,
) -> RunFile:
    """What run.json says when a capture begins."""
    return RunFile(
        status="running",
        target=target,
        mode=mode,
        runs=runs,
        warmup=warmup,
        chunks=chunks,
        births=births,
        sites=sites,
        redacted=redacted,
        values=values,
        runtime=runtime,
        python=python,
        started_in=os.getcwd(),
        started_unix=round(time.time(), 3),
    )


def is_capture(directory: Path) -> bool:
    return (directory / RUN_FILE).is_file() or is_box(directory)


def read_run_file(directory: Path) -> RunFile | ModesFile:
    """What the directory's run.json says. CaptureError: there is none, it is damaged, or a newer one."""
    path = directory / RUN_FILE
    hint = "leakscan capture TARGET -o DIR writes one"
    if not path.exists() and is_box(directory):
        return _of_box(read_box(directory))
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CaptureError(f"{directory} is not a capture: it has no {RUN_FILE}", hint=hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CaptureError(f"cannot read {path}: {error}", hint=hint) from error
    if not isinstance(run, dict) or run.get("format") != CAPTURE_FORMAT:
        raise CaptureError(f"{path} does not describe a capture", hint=hint)
    version = run.get("version", 0)
    if not isinstance(version, int) or version > CAPTURE_VERSION:
        raise CaptureError(
            f"{path} has version {version}; this leakscan reads {CAPTURE_VERSION}",
            hint="use the leakscan that wrote it, or a newer one",
        )
    try:
        if "modes" in run:
            return read_as(ModesFile, run, RUN_FILE, limits=OURS)
        return read_as(RunFile, run, RUN_FILE, limits=OURS)
    except NotAnAnswer as error:
        raise CaptureError(f"{path} is damaged: {error.message}", hint="capture again") from error


def _of_box(box: Box) -> RunFile:
    taken = [each for each in (box.before, box.after) if each is not None]
    done = box.after.interval if box.after is not None else 0
    missing = [] if box.after is not None else ["no limit was near, or the snapshot was not whole in time"]
    if box.before is None:
        missing.append("the process ended before its baseline")
    if box.without_births:
        missing.append(f"births, because {box.without_births}")
    return RunFile(
        leakscan=box.version,
        status="complete" if box.after is not None and box.before is not None else "running",
        target=f"process {box.pid} ({box.command})",
        mode=ATTACH_MODE,
        scenario="a guarded process",
        runs=done,
        runs_completed=done,
        warmup=0,
        chunks=0,
        births=box.has_births,
        python=box.python,
        implementation="cpython",
        executable=box.executable,
        started_in=box.started_in,
        pid=box.pid,
        process_started=box.process_started,
        started_unix=box.started_unix,
        ended_unix=taken[-1].time_unix if taken else None,
        snapshots=tuple(
            SnapshotRow(
                file=each.file,
                run=each.interval,
                pause_seconds=each.pause_seconds,
                bytes=each.bytes,
                time_unix=each.time_unix,
                interval=each.interval,
            )
            for each in taken
        ),
        missing=(*missing, *box.refusals),
    )


def write_run_file(directory: Path, run: RunFile | ModesFile) -> None:
    """Replace the directory's run.json as a whole. OSError: the disk is full."""
    # A reader, or a kill, in the middle of it finds the earlier text.
    document = {"format": CAPTURE_FORMAT, "version": CAPTURE_VERSION, **as_plain(run)}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path = directory / RUN_FILE
    partial = path.with_name(path.name + ".partial")
    try:
        # Lone surrogates in a message of the target must not stop the record of it.
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
