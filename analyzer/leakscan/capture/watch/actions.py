"""What a watch does when a threshold is passed: to the process it was given, and to no other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leakscan.capture.process.vitals import Process, ProcessGone
from leakscan.errors import LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.capture.process.attach import Attachment

_KINDS: Final = ("command", "signal", "webhook", "snapshot", "series")
SERIES_INTERVALS: Final = 6
"""Five are the fewest that a verdict needs; in one of them the load may have paused."""


@dataclass(frozen=True, slots=True)
class Action:
    """What happens when a threshold is passed. `kind`: command, signal, webhook, snapshot or series."""

    kind: str
    argument: str


def parse_action(text: str) -> Action:
    """`signal=TERM`, `command=./dump.sh`, `webhook=http://127.0.0.1:9000/`, `snapshot=DIR`, `series=DIR`."""
    kind, equals, argument = text.partition("=")
    if kind not in _KINDS or not equals or not argument:
        raise UsageError(
            f"not an action: {text!r}",
            hint="write signal=TERM, command=..., webhook=URL, snapshot=DIR or series=DIR",
        )
    if kind == "signal" and f"SIG{argument.removeprefix('SIG')}" not in signal.Signals.__members__:
        raise UsageError(f"not a signal: {argument}", hint="write signal=TERM, signal=USR1 ...")
    return Action(kind, argument)


@dataclass(slots=True)
class _Series:
    directory: Path
    left: int
    due: float
    has_armed: bool


@dataclass(slots=True)
class Actor:
    """Carries out actions on one process. A failing action is reported, never raised."""

    process: Process
    series_seconds: float = 30.0
    _series: list[_Series] = field(default_factory=list)

    def perform(self, action: Action, reason: str) -> str:
        """Do it; what came of it."""
        try:
            match action.kind:
                case "signal":
                    return self._signal(action.argument)
                case "command":
                    return self._command(action.argument, reason)
                case "webhook":
                    return _post(action.argument, reason)
                case "series":
                    return self._begin_series(Path(action.argument))
            return self._snapshot(Path(action.argument))
        except ProcessGone:
            return f"{action.kind}: the process had already ended"
        except LeakscanError as error:
            return f"{action.kind} failed: {error.message}"

    def due(self, now: float) -> Iterator[str]:
        """The snapshots of running series whose time has come, and what came of each."""
        for series in [each for each in self._series if each.due <= now]:
            series.left -= 1
            series.due = now + self.series_seconds
            try:
                said = self._next_of(series)
            except (ProcessGone, LeakscanError) as error:
                self._give_up(series)
                yield f"series failed: {getattr(error, 'message', 'the process has ended')}"
                continue
            if not series.left:
                self._series.remove(series)
            yield said

    def close(self) -> None:
        """Nothing that a series has armed stays so."""
        for series in list(self._series):
            self._give_up(series)

    def _give_up(self, series: _Series) -> None:
        self._series.remove(series)
        if series.has_armed:
            with contextlib.suppress(ProcessGone, LeakscanError), self._attached() as target:
                target.disarm()

    def _signal(self, name: str) -> str:
        number = signal.Signals[f"SIG{name.removeprefix('SIG')}"]
        self.process.send(number)
        return f"{number.name} sent to process {self.process.pid}"

    def _command(self, command: str, reason: str) -> str:
        self.process.check()
        environment = {**os.environ, "LEAKSCAN_PID": str(self.process.pid), "LEAKSCAN_REASON": reason}
        result = subprocess.run(["sh", "-c", command], check=False, env=environment, stdout=sys.stderr)
        return f"command ended with {result.returncode}"

    def _begin_series(self, directory: Path) -> str:
        if self._series:
            return f"the series in {self._series[0].directory} is still running"
        with self._attached() as target:
            has_armed = target.arm(for_capture=True)
            said = self._take(target, directory)
            if has_armed:
                target.keep_armed()
        due = time.monotonic() + self.series_seconds
        self._series.append(_Series(directory, SERIES_INTERVALS, due, has_armed))
        return said

    def _next_of(self, series: _Series) -> str:
        with self._attached() as target:
            said = self._take(target, series.directory)
            if not series.left and series.has_armed:
                target.disarm()
        return said

    def _snapshot(self, directory: Path) -> str:
        with self._attached() as target:
            return self._take(target, directory)

    def _take(self, target: Attachment, directory: Path) -> str:
        from leakscan.capture.process.attached import AttachedCapture

        capture = AttachedCapture(directory, target, overwrite=False)
        taken = capture.take(target, redact_keys=False)
        capture.close("complete")
        return f"{taken.path} written, process {self.process.pid} stood still for {taken.pause_seconds:.3f} s"

    @contextlib.contextmanager
    def _attached(self) -> Iterator[Attachment]:
        from leakscan.capture.process.attach import Attachment

        target = Attachment(self.process.pid)
        if target.process.started != self.process.started:
            target.process.close()
            raise ProcessGone
        with target:
            yield target


def _post(url: str, reason: str) -> str:
    try:
        request = urllib.request.Request(url, data=reason.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return f"webhook answered {answer.status}"
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"webhook failed: {error}"
