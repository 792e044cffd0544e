"""Snapshots, censuses and births of one capture: the native recorder with the capture's settings."""

from __future__ import annotations

import os
from typing import Any

from leakscan.record import births, snapshot


class Recorder:
    """Writes into the capture directory; keeps no Python object between calls."""

    def __init__(self, config: dict[str, Any]) -> None:  # Any: JSON values
        self._config = config
        self._is_armed = False

    def check_support(self) -> None:
        snapshot.check_support()

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

    def begin_waiting(self) -> None:
        births.begin_waiting()

    def others_wait(self) -> None:
        """Between the baseline and the first run."""
        births.mark_others_waiting()

    def begin_bookkeeping(self) -> None:
        if self._is_armed:
            births.begin_own()

    def begin_bookkeeping_after_collection(self) -> None:
        """The same where a collection has just found nothing: another would only take time on a big heap."""
        if self._is_armed:
            births.mark_own()

    def go_on(self, birth: int) -> None:
        """What the program allocates from now on, in any thread, is born then; nothing is collected."""
        births.go_on(birth)

    def census_within(self, run: int) -> str:
        """A census before a run is over: what it still leaves to the collector counts."""
        births.mark_own()
        try:
            return self.census("uncollected", run=run)
        finally:
            births.go_on(run)

    def census(self, moment: str, *, run: int) -> str:
        """Write the counts and bytes by type; the file's name in the capture directory.

        `capture` reads it while the runs go on: each moment has a file of its own.
        """
        name = f".census-{moment}-{run}.heap"
        self._write(name, run=run, census=True)
        return name

    def snapshot(self, name: str, *, run: int, subject: object = None) -> float:
        """Write a snapshot; how long this process stood still, in seconds.

        `subject` is a callable that may be held by leakscan alone: it counts as held.
        """
        return self._write(name, run=run, census=False, subject=subject)

    def _write(self, name: str, *, run: int, census: bool, subject: object = None) -> float:
        return snapshot.record(
            os.path.join(self._config["output"], name),
            run=run,
            census=census,
            redact_keys=self._config["redact_keys"],
            values=self._config.get("values", False),
            subject=subject,
        )
