"""Read a capture directory: what was run, what was measured, which snapshots there are.

Any capture that was stopped can be read; what it lacks is in `Capture.missing`, in words.
The files are described in docs/reference/capture-directory.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakscan.errors import CaptureError

RUN_FILE = "run.json"
CENSUS_FILE = "census.jsonl"
BEFORE, AFTER = "before", "after"
"""Stems of the first and the last snapshot."""
SUFFIXES = {"cpython": ".heap", "node": ".heapsnapshot"}
BEFORE_FILE, AFTER_FILE = "before.heap", "after.heap"
CAPTURE_VERSION = 1
CONTROL = "control"
ATTACH_MODE = "attach"


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
    the allocator. `collected` are
    the objects that only the collector could free. `memory` is in bytes and blocks: see the reference.
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
class Trim:
    """Memory around `malloc_trim`, after everything; `done` is False where glibc does not serve malloc."""

    done: bool
    before: Mapping[str, int]
    after: Mapping[str, int]


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
    mappings: tuple[tuple[str, int, int], ...] = ()
    """(path, bytes before, bytes after) of the mapped files that more is in memory of, the most first."""

    @property
    def unit(self) -> str:
        """What `runs` counts: runs of a scenario, or the intervals between two looks at a process."""
        return "interval" if self.mode == ATTACH_MODE else "run"

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
        why = f": {self.failure.message}" if self.failure is not None else ""
        raise CaptureError(
            f"{self.directory} has no {stem}{SUFFIXES[self.runtime]}; the capture is {self.status}{why}",
            hint="attach once more with the same -o"
            if self.mode == ATTACH_MODE
            else "capture again with --overwrite",
        )


def read_capture(directory: Path) -> Capture:
    """The capture in that directory. CaptureError: there is none, or it holds several modes."""
    run = _read_run_file(directory)
    if "modes" in run:
        modes = [mode for mode, status in run["modes"].items() if status == "complete"]
        raise CaptureError(
            f"{directory} holds one capture for each mode",
            hint=f"choose one: {', '.join(str(directory / mode) for mode in modes)}",
        )
    return _capture(directory, run)


def read_captures(directory: Path) -> tuple[Capture, ...]:
    """Every capture in that directory: one, or one for each mode that kept anything, in their order."""
    run = _read_run_file(directory)
    if "modes" not in run:
        return (_capture(directory, run),)
    kept = (directory / mode for mode in run["modes"] if is_capture(directory / mode))
    return tuple(_capture(each, _read_run_file(each)) for each in kept)


def is_capture(directory: Path) -> bool:
    return (directory / RUN_FILE).is_file()


def _read_run_file(directory: Path) -> dict[str, Any]:  # Any: JSON values
    path = directory / RUN_FILE
    hint = "leakscan capture TARGET -o DIR writes one"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CaptureError(f"{directory} is not a capture: it has no {RUN_FILE}", hint=hint) from None
    except (OSError, ValueError) as error:
        raise CaptureError(f"cannot read {path}: {error}", hint=hint) from error
    if not isinstance(run, dict) or run.get("format") != "leakscan-capture":
        raise CaptureError(f"{path} does not describe a capture", hint=hint)
    if run.get("version", 0) > CAPTURE_VERSION:
        raise CaptureError(
            f"{path} has version {run['version']}; this leakscan reads {CAPTURE_VERSION}",
            hint="use the leakscan that wrote it, or a newer one",
        )
    return run


def _capture(directory: Path, run: Mapping[str, Any]) -> Capture:  # Any: JSON values
    try:
        error, in_flight, proof = run["error"], run["in_flight"], run["proof"]
        rounds = tuple(_read_census_file(directory / CENSUS_FILE))
        return Capture(
            directory=directory,
            target=run["target"],
            mode=run["mode"],
            scenario=run["scenario"],
            runs=run["runs"],
            runs_completed=run["runs_completed"],
            warmup=run["warmup"],
            chunks=run["chunks"],
            python=run["python"],
            platform=run["platform"],
            status=run["status"],
            missing=tuple(run["missing"]) or _missing_of_running(run["status"]),
            failure=Failure(**error) if error else None,
            snapshots=tuple(
                SnapshotEntry(directory / entry["file"], entry["run"], entry["pause_seconds"])
                for entry in run["snapshots"]
            ),
            census=tuple(row for row in rounds if row.phase != CONTROL),
            in_flight=InFlight(**in_flight) if in_flight else None,
            ended=run["ended"],
            proof=_proof(proof) if proof else None,
            runtime=run.get("runtime", "cpython"),
            version=run.get("version_of_runtime") or run["python"],
            started_in=run.get("started_in", ""),
            control=tuple(row for row in rounds if row.phase == CONTROL),
            allocator=run.get("allocator", ""),
            trim=Trim(**run["trim"]) if run.get("trim") else None,
            mappings=tuple((path, before, after) for path, before, after in run.get("mappings", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(f"{directory / RUN_FILE} is damaged: {error!r}", hint="capture again") from error


def _proof(proof: Mapping[str, Any]) -> Proof:  # Any: JSON values
    return Proof(
        cut=tuple(proof["cut"]),
        types=tuple(proof["types"]),
        of=proof["of"],
        freed=proof["freed"],
        others_of=proof.get("others_of", 0),
        others_freed=proof.get("others_freed", 0),
        not_cleared=tuple(proof["not_cleared"]),
        failed=proof["failed"],
    )


def _missing_of_running(status: str) -> tuple[str, ...]:
    if status != "running":
        return ()
    return ("the end: the capture is still running, or was killed before it could say so",)


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
            )
