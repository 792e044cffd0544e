"""Capture a command: start it, let it mark its runs or mark them for it, keep what they leave."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leakscan.capture.directory.output import OutputDirectory
from leakscan.capture.directory.reader import Capture, read_capture
from leakscan.capture.directory.writer import CaptureWriter
from leakscan.capture.program.orders import Drive, Wait
from leakscan.capture.program.process import Program, command_text
from leakscan.capture.scenario.observe import Observation, OnProgress
from leakscan.capture.scenario.settings import Settings, begun_run, session_config
from leakscan.capture.scenario.target_process import GRACE_SECONDS, POLL_SECONDS, passing_on_interrupts
from leakscan.errors import CaptureError, LeakscanError

# Any in this file: JSON values.

MARKED: Final = "marked"
"""The mode of a capture whose runs the program, or the clock, marks."""


_PATIENCE_SECONDS: Final = 20.0
"""Without a run for so long, the user is told what makes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a run is. Without `on_call` and `drive` the program says so itself."""

    kind: str = "a program that marks its runs"
    option: str = ""
    """As it was given on the command line."""
    on_call: tuple[str, ...] = ()
    drive: Drive | None = None
    hint: str = (
        "call leakscan.run_done() where a unit of work ends; "
        "or --on-call 'package.module:function', --every 30s; of a server: --url http://127.0.0.1:8000/path"
    )


def capture_program(
    command: Sequence[str],
    *,
    output: Path,
    marks: Marks,
    settings: Settings,
    environment: Mapping[str, str] | None = None,
    mode: str = MARKED,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Capture:
    """Run the command until `settings.runs` runs are counted or it ends; it is ended then.

    Returns a complete capture (of fewer runs where the program ended by itself) or an interrupted one.
    CaptureError: there is nothing to compare, or the program failed; what was captured is kept.
    """
    target = f"{marks.option} -- {command_text(command)}" if marks.option else command_text(command)
    with OutputDirectory(output, overwrite=overwrite) as place:
        writer = CaptureWriter(
            place.directory, begun_run(target, mode, settings, runtime="cpython", python="")
        )
        config = {
            **session_config(target, mode, settings, place.directory, owns_main=False),
            "kind": marks.kind,
        }
        observation = _Programs(settings, writer, on_progress, None)
        with (
            Program(
                command,
                config,
                environment=os.environ if environment is None else environment,
                on_call=marks.on_call,
                is_driven=marks.drive is not None,
            ) as program,
            passing_on_interrupts(program),
        ):
            status = observation.follow(program, marks)
        writer.close(status)
        place.keep = writer.run.runs_completed > 0
        if status == "failed" or not place.keep:
            failure = writer.run.error
            kept = f"{output} keeps {writer.run.runs_completed} runs" if place.keep else ""
            if failure is None:
                raise CaptureError(
                    f"the capture of {target} was stopped before its first run", hint="nothing was kept"
                )
            raise CaptureError(failure.message, hint="\n".join(filter(None, (failure.hint, kept))))
    return read_capture(output)


class _Programs(Observation):
    """Watches a program: nothing asks it for more, and it may end when it likes."""

    def follow(self, program: Program, marks: Marks) -> str:
        """Until all runs are counted or nobody is left; the status of the capture."""
        told = _Told(program, marks.drive)
        tells_at = time.monotonic() + _PATIENCE_SECONDS
        try:
            while not (self._said or program.is_over or self._may_stop(program) or program.timed_out):
                for event in program.events(at_most_seconds=POLL_SECONDS):
                    told.hear(event)
                    if not self._note(event, program):
                        break
                told.go_on()
                if program.captured is None and time.monotonic() > tells_at:
                    tells_at = float("inf")
                    print(f"no run yet; Ctrl-C stops. {marks.hint}", file=sys.stderr, flush=True)
                program.check_time()
        except LeakscanError as error:
            self._writer.fail(phase="run", run=self.run, message=error.message, hint=error.hint)
            return "failed"
        return self._status(program, marks)

    def _may_stop(self, program: Program) -> bool:
        """Whether somebody wants it to, and no run is just being written."""
        return program.was_interrupted and (
            self._is_whole or time.monotonic() > program.interrupted_at + GRACE_SECONDS
        )

    @property
    def _is_whole(self) -> bool:
        run = self._writer.run
        return run.runs_completed == max((each.run for each in run.snapshots), default=0)

    def _status(self, program: Program, marks: Marks) -> str:
        if not self._is_whole:
            self._writer.forget_last_run()
        done = self._writer.run.runs_completed
        if self._said == "failed":
            return "failed"
        if program.timed_out:
            return self._timed_out()
        if self._said or done == self._settings.runs:
            return "complete"
        if program.was_interrupted and not done:
            return self._nothing("it was stopped", marks)
        if program.was_interrupted:
            return "interrupted"
        code = program.wait_for_code()
        end = f"it ended {_how(code)}"
        if not done:
            return self._nothing(end, marks, has_failed=bool(code))
        if code:
            self._writer.fail(
                phase="process", run=done, message=f"the program ended {_how(code)} after run {done}"
            )
            return "failed"
        # It has done what it had to do; that these are all its runs is no lack of the capture.
        print(f"{end}: {done} runs, {self._settings.runs} were asked for", file=sys.stderr)
        self._writer.reduce(done)
        return "complete"

    def _nothing(self, end: str, marks: Marks, *, has_failed: bool = False) -> str:
        if self.phase == "start":
            message, hint = f"no run was seen: {end}", marks.hint
            if has_failed:
                # It may have failed for a reason of its own at its end, or before anything could be marked.
                hint = (
                    "what it said of that is above: it is started as you would start it, in the same folder. "
                    f"If it did its work: {hint}"
                )
        else:
            message = f"{end} before a run was counted: {self._settings.warmup} warm-up runs come first"
            hint = "--warmup 1, or more runs"
        self._writer.fail(phase="process", run=0, message=message, hint=hint)
        return "failed"


class _Told:
    """The orders to a program that does not mark its runs itself."""

    def __init__(self, program: Program, drive: Drive | None) -> None:
        self._program = program
        self._orders = None if drive is None else drive(program)
        self._is_ready = True
        self._not_before = 0.0

    def hear(self, event: Mapping[str, Any]) -> None:
        self._is_ready = self._is_ready or event["event"] == "ready"

    def go_on(self) -> None:
        """The next order, once the last one is done."""
        if self._orders is None or not self._is_ready or time.monotonic() < self._not_before:
            return
        order = next(self._orders)
        if isinstance(order, Wait):
            self._not_before = time.monotonic() + order.seconds
            return
        if self._program.captured is None:
            self._program.choose()
        if self._program.captured is not None:
            self._is_ready = False
            self._program.captured.say({"command": order, "config": self._program.config})


def _how(code: int | None) -> str:
    if code is None:
        return "by itself"
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
