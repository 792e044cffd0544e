"""A capture of a running Node: two or more snapshots over its inspector, with some time between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from leakscan.capture.directory.output import OutputDirectory
from leakscan.capture.directory.reader import Capture, read_capture
from leakscan.capture.directory.run_file import AFTER, ATTACH_MODE, BEFORE, begun
from leakscan.capture.directory.writer import CaptureWriter
from leakscan.capture.inspector.inspector import Inspector
from leakscan.errors import AttachError, LeakscanError, UsageError

_SUFFIX: Final = ".heapsnapshot"

OnStep = Callable[[str, float], None]
"""Called with what is done now ("snapshot 1 of 2", "waiting") and how much of it is, 0 to 1."""


def capture_inspected(
    address: str,
    *,
    output: Path,
    snapshots: int = 2,
    wait_seconds: float = 60.0,
    overwrite: bool = False,
    on_step: OnStep = lambda what, share: None,
    wait: Callable[[float], object] = time.sleep,
) -> Capture:
    """Take `snapshots` with `wait_seconds` between them and write the capture directory `output`.

    An interval between two snapshots stands for a run. The program stands still while V8 writes: about a
    second for each million objects. What was taken before a failure stays readable.
    """
    if snapshots < 2:
        raise UsageError(f"{snapshots} snapshots make no capture", hint="two or more")
    if wait_seconds < 0:
        raise UsageError("--wait cannot be negative", hint="0 takes the next snapshot at once")
    with OutputDirectory(output, overwrite=overwrite) as place, Inspector(address) as inspector:
        run = begun(
            target=f"inspector {inspector.address}",
            mode=ATTACH_MODE,
            runs=snapshots - 1,
            runtime="node",
            python="",
        )
        writer = CaptureWriter(place.directory, run)
        series = _Series(inspector, writer, place.directory, snapshots, on_step)
        status = "interrupted"
        try:
            series.start()
            for number in range(snapshots):
                if number:
                    on_step("waiting", (number - 1) / (snapshots - 1))
                    wait(wait_seconds)
                series.take(number)
            status = "complete"
        except (LeakscanError, OSError) as error:
            status = "failed"
            message = (
                error.message if isinstance(error, LeakscanError) else f"cannot write the capture: {error}"
            )
            hint = error.hint if isinstance(error, LeakscanError) else "is the disk full?"
            writer.fail(phase="snapshot", run=series.taken, message=message, hint=hint)
            raise error if isinstance(error, LeakscanError) else AttachError(message, hint=hint) from error
        finally:
            writer.close(status)
            place.keep = writer.has_snapshots
    return read_capture(output)


class _Series:
    """`taken` snapshots so far."""

    def __init__(
        self, inspector: Inspector, writer: CaptureWriter, directory: Path, snapshots: int, on_step: OnStep
    ) -> None:
        self._inspector, self._writer = inspector, writer
        self._directory, self._snapshots, self._on_step = directory, snapshots, on_step
        self._first: Path | None = None
        self._since = time.monotonic()
        self.taken = 0

    def start(self) -> None:
        name, _, version = self._inspector.browser.partition("/")
        self._writer.record(
            {
                "event": "started",
                "python": "",
                "version": version.removeprefix("v"),
                "implementation": name,
                "executable": "",
                "platform": "",
                "pid": self._inspector.pid(),
            }
        )

    def take(self, number: int) -> None:
        stem = {0: BEFORE, self._snapshots - 1: AFTER}.get(number, f"run-{number:04}")
        path = self._directory / (stem + _SUFFIX)
        what = f"snapshot {number + 1} of {self._snapshots}"
        memory = self._inspector.memory()
        seconds = time.monotonic() - self._since
        paused = self._inspector.snapshot(path, lambda share: self._on_step(what, share))
        self._since = time.monotonic()
        self._writer.record(
            {"event": "snapshot", "file": path.name, "run": number, "pause_seconds": round(paused, 6)}
        )
        self._count(path, number, memory, seconds)
        self.taken = number + 1

    def _count(self, path: Path, number: int, memory: dict[str, int], seconds: float) -> None:
        from leakscan.heap.census import census
        from leakscan.heap.reader import load
        from leakscan.heap.v8_births import ids_agree, last_id

        graph = load(path)
        if self._first is None:
            self._first = path
        elif not ids_agree(load(self._first), graph):
            raise AttachError(
                f"V8 at {self._inspector.address} has numbered its objects anew since the first snapshot",
                hint="it does so when another client of the inspector leaves: close DevTools, capture again",
            )
        self._writer.record(
            {
                "event": "census",
                "phase": "run" if number else "baseline",
                "run": number,
                "last_id": last_id(graph),
                "tasks": 0,
                "seconds": round(seconds, 3) if number else 0.0,
                "memory": memory,
                "types": census(graph),
            }
        )
