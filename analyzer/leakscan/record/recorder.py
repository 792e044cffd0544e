"""Snapshots, censuses and births of one capture: the native recorder with the capture's settings."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from leakscan import _native
from leakscan.errors import RecordError, UnsupportedInterpreter
from leakscan.record import births


class Recorder:
    """Writes into the capture directory; keeps no Python object between calls."""

    def __init__(self, config: dict[str, Any]) -> None:  # Any: JSON values
        self._config = config
        self._is_armed = False

    def check_support(self) -> None:
        supported, reason = _native.support()
        if not supported:
            raise UnsupportedInterpreter(reason, hint="use a standard CPython 3.11 to 3.15 (--python)")

    def arm_births(self) -> None:
        births.arm(runs=self._config["most_runs"], sites=self._config["sites"])
        self._is_armed = True
        births.begin_own()

    def disarm_births(self) -> None:
        if self._is_armed:
            births.disarm()
            self._is_armed = False

    def begin_run(self, run: int) -> None:
        births.begin_run(run)

    def begin_bookkeeping(self) -> None:
        if self._is_armed:
            births.begin_own()

    def rehearse(self) -> None:
        """Take a census and throw it away."""
        os.unlink(os.path.join(self._config["output"], self.census("rehearsal", run=0)))

    def census(self, moment: str, *, run: int) -> str:
        """Write the counts and bytes by type; the file's name in the capture directory.

        `capture` reads it while the runs go on: each moment has a file of its own.
        """
        name = f".census-{moment}-{run}.heap"
        self._write(name, run=run, flags=_native.SNAPSHOT_CENSUS)
        return name

    def snapshot(self, name: str, *, run: int) -> float:
        """Write a snapshot; how long this process stood still, in seconds."""
        return self._write(name, run=run, flags=0)

    def _write(self, name: str, *, run: int, flags: int) -> float:
        path = os.path.join(self._config["output"], name)
        if self._config["redact_keys"]:
            flags |= _native.SNAPSHOT_REDACT_KEYS
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            meta = json.dumps(self._meta(run)).encode()
            start = time.perf_counter()
            pid = _native.snapshot_start(descriptor, meta, self._config["package_dir"], flags)
            pause = time.perf_counter() - start
        finally:
            os.close(descriptor)
        status, code = _native.snapshot_wait(pid, -1.0)
        if status != "exited" or code != 0:
            os.unlink(path)
            raise RecordError(f"{name} could not be written", hint="is the disk full?")
        return pause

    def _meta(self, run: int) -> dict[str, Any]:  # Any: JSON values
        return {"run": run}
