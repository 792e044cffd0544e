"""The capture directory that attaching fills, one snapshot at a time, from one call to the next."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from leakscan import _native
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.directory.run_file import (
    AFTER_FILE,
    ATTACH_MODE,
    BEFORE_FILE,
    CENSUS_FILE,
    RUN_FILE,
    Failure,
    ModesFile,
    RunFile,
    SnapshotRow,
    begun,
    is_capture,
    read_run_file,
    write_run_file,
)
from leakscan.capture.directory.writer import changed_types
from leakscan.capture.process.attach import Attachment, Taken
from leakscan.capture.process.workers import command_of
from leakscan.errors import AttachError, LeakscanError
from leakscan.wording import size_text

_DISK_LEFT: Final = 50_000_000
"""What a series must not take of a disk that others write to."""


class AttachedCapture:
    """A directory with the snapshots of one process: `before.heap`, and `after.heap` for the latest.

    AttachError: something else is there, or the snapshots of another process.
    """

    def __init__(self, directory: Path, attachment: Attachment, *, overwrite: bool) -> None:
        self.directory = directory
        self._pid = attachment.pid
        self._is_new = False
        self._run: RunFile
        if is_capture(directory) and not overwrite:
            self._run = self._earlier(directory)
            self._check_is_same(attachment)
            self._check_births_go_on(attachment)
        elif directory.is_dir() and any(directory.iterdir()) and not is_capture(directory):
            raise AttachError(f"{directory} is not empty and holds no capture", hint="choose another -o")
        else:
            self._is_new = not directory.exists()
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AttachError(
                    f"cannot write {directory}: {error.strerror}", hint="choose another -o"
                ) from error
            self._empty()
            self._run = self._new(attachment)
            self._write("running")

    @property
    def has_snapshots(self) -> bool:
        return bool(self._run.snapshots)

    def __len__(self) -> int:
        return len(self._run.snapshots)

    def take(self, attachment: Attachment, *, redact_keys: bool) -> Taken:
        """One more snapshot, its census, and run.json brought up to it."""
        try:
            taken = attachment.snapshot(self.directory / "next.heap", redact_keys=redact_keys)
            return self._add(taken, redact_keys=redact_keys)
        except LeakscanError as error:
            self.fail(error)
            raise
        except OSError as error:
            raise AttachError(
                f"cannot write {self.directory}: {error.strerror}", hint="is the disk full?"
            ) from error

    def check_disk(self, snapshots: int) -> int:
        """Bytes that so many more snapshots take, as big as the last one.

        AttachError: the disk has no room for them.
        """
        latest = self._run.snapshots[-1].bytes
        needed: int = latest * snapshots
        free = shutil.disk_usage(self.directory).free
        if needed + _DISK_LEFT > free:
            error = AttachError(
                f"{snapshots} more snapshots of {size_text(latest)} need {size_text(needed)};"
                f" {self.directory} has {size_text(free)} left",
                hint="choose an -o on a bigger disk, or fewer intervals: --every",
            )
            self.fail(error)
            raise error
        return needed

    def plan(self, intervals: int) -> None:
        """How many intervals a series is to have."""
        self._run = replace(self._run, runs=self._run.runs_completed + intervals)
        self._write("running")

    def fail(self, error: LeakscanError) -> None:
        """Say why it stopped; without a snapshot nothing is left of it."""
        if not len(self):
            self._empty()
            if self._is_new:
                self.directory.rmdir()
            return
        failure = Failure("process", self._run.runs_completed, "", error.message, error.hint, "")
        self._run = replace(self._run, error=failure)
        self.close("failed")

    def close(self, status: str) -> None:
        if not len(self):
            return
        self._run = replace(self._run, ended_unix=round(time.time(), 3))
        self._write(status)

    def _add(self, taken: Taken, *, redact_keys: bool) -> Taken:
        run, directory = self._run, self.directory
        entries = list(run.snapshots)
        number = run.runs_completed + 1 if entries else 0
        name = AFTER_FILE if entries else BEFORE_FILE
        if entries and entries[-1].file == AFTER_FILE:
            entries[-1] = replace(entries[-1], file=f"run-{entries[-1].run:04}.heap")
            os.replace(directory / AFTER_FILE, directory / entries[-1].file)
        path = directory / name
        os.replace(taken.path, path)
        seconds = round(taken.time_unix - (entries[-1].time_unix or 0.0), 3) if entries else 0.0
        row = SnapshotRow(
            file=name,
            run=number,
            pause_seconds=round(taken.pause_seconds, 6),
            bytes=taken.bytes,
            time_unix=round(taken.time_unix, 3),
            interval=taken.interval,
        )
        self._add_census(path, number, taken, seconds)
        self._run = replace(
            run,
            snapshots=(*entries, row),
            runs_completed=number,
            runs=max(run.runs, number),
            births=taken.is_armed and (run.births or not number),
            redacted=redact_keys,
            allocator="glibc" if "malloc_used_bytes" in taken.memory else "another allocator",
        )
        self._write("running" if number < self._run.runs else "complete")
        return Taken(**{**_fields(taken), "path": path})

    def _add_census(self, path: Path, number: int, taken: Taken, seconds: float) -> None:
        from leakscan.capture.directory.census import census_of

        types, found = census_of(path)
        earlier = self._types_so_far()
        row = {
            "phase": "run" if number else "baseline",
            "run": number,
            "object_count": sum(count for count, _ in types.values()),
            "object_bytes": sum(size for _, size in types.values()),
            "collected": 0,
            "tasks": 0,
            "seconds": seconds,
            "memory": {**taken.memory, **self._map_figures(), **found},
            "collector": {},
            "types": changed_types(earlier, types),
        }
        with (self.directory / CENSUS_FILE).open("a", encoding="utf-8", errors="backslashreplace") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _map_figures(self) -> dict[str, int]:
        # The process may have ended meanwhile; its heap is here all the same.
        try:
            return _native.map_figures(self._pid)
        except OSError:
            return {}

    def _types_so_far(self) -> dict[str, tuple[int, int]]:
        census = read_capture(self.directory).census
        return dict(census[-1].types or {}) if census else {}

    def _write(self, status: str) -> None:
        done, asked = self._run.runs_completed, self._run.runs
        missing = []
        if not done:
            missing.append(f"{AFTER_FILE}: attach once more")
        elif done < asked and status != "running":
            missing.append(f"intervals {done + 1} to {asked}" if asked > done + 1 else f"interval {asked}")
        self._run = replace(self._run, status=status, missing=tuple(missing))
        write_run_file(self.directory, self._run)

    def _new(self, attachment: Attachment) -> RunFile:
        folder = Path("/proc") / str(attachment.pid)
        new = begun(
            target=f"process {attachment.pid} ({command_of(attachment.pid) or 'ended'})",
            mode=ATTACH_MODE,
            runs=0,
            python=attachment.python,
            births=False,
        )
        return replace(
            new,
            scenario="a running process",
            implementation="cpython",
            platform=f"linux-{os.uname().machine}",
            executable=_link(folder / "exe"),
            started_in=_link(folder / "cwd"),
            pid=attachment.pid,
            process_started=attachment.process.started,
        )

    def _earlier(self, directory: Path) -> RunFile:
        run = read_run_file(directory)
        if isinstance(run, ModesFile):
            raise AttachError(f"{directory} is a capture of several modes", hint="choose another -o")
        read_capture(directory)  # CaptureError when its census is damaged
        return run

    def _check_is_same(self, attachment: Attachment) -> None:
        run = self._run
        hint = "choose another -o, or add --overwrite"
        if run.mode != ATTACH_MODE:
            raise AttachError(f"{self.directory} is a capture of {run.target}", hint=hint)
        if (run.pid, run.process_started) != (attachment.pid, attachment.process.started):
            raise AttachError(
                f"{self.directory} holds snapshots of {run.target}, which was another process", hint=hint
            )

    def _check_births_go_on(self, attachment: Attachment) -> None:
        """The target counts intervals by itself: they must be the ones of this capture."""
        run = self._run
        if not run.births or not run.snapshots:
            return
        expected = (run.snapshots[-1].interval or 0) + 1
        if attachment.is_armed and attachment.interval == expected:
            return
        what = "counts births anew" if attachment.is_armed else "no longer counts births"
        raise AttachError(
            f"process {attachment.pid} {what} since the last snapshot in {self.directory}",
            hint="begin another capture: --arm with another -o, or with --overwrite",
        )

    def _empty(self) -> None:
        for name in (RUN_FILE, CENSUS_FILE):
            (self.directory / name).unlink(missing_ok=True)
        for snapshot in self.directory.glob("*.heap*"):
            snapshot.unlink()


def _fields(taken: Taken) -> dict[str, Any]:  # Any: the fields of a dataclass
    return {name: getattr(taken, name) for name in Taken.__slots__}


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
