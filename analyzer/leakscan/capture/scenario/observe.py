"""Watch one target from its start to its end, record what it says, and judge how it went."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import leakscan
from leakscan.capture.directory.writer import CaptureWriter
from leakscan.capture.interpreter import Interpreter
from leakscan.capture.native_module import native_path
from leakscan.capture.scenario.decision import TRACED_FILE, Blame, Decide, MadeIn, MoreRuns, Prove
from leakscan.capture.scenario.settings import Progress, Settings, session_config
from leakscan.capture.scenario.target_process import Target, Timed, passing_on_interrupts
from leakscan.errors import LeakscanError

OnProgress = Callable[[Progress], None] | None
ENOUGH_TO_COUNT = 6


def driver_config(
    target: str, mode: str, settings: Settings, directory: Path, *, is_interactive: bool
) -> dict[str, Any]:
    """What record/driver.py needs to know (Any: JSON values), without the pipe it reports on."""
    return {
        **session_config(target, mode, settings, directory, owns_main=True),
        "is_interactive": is_interactive,
        "count_after": _runs_to_count(settings.runs),
        "traced_file": TRACED_FILE,
        "package_dir": str(Path(leakscan.__file__).parent),
        "native_path": native_path(),
    }


def _runs_to_count(runs: int) -> list[int]:
    """After which runs objects are counted by type where that takes a snapshot.

    Thirds tell what grows from what is full.
    """
    return sorted({runs // 3, 2 * runs // 3} - {0}) if runs >= ENOUGH_TO_COUNT else []


class Observation:
    """One run of a driver. `phase` and `run` say how far it came."""

    def __init__(
        self, settings: Settings, writer: CaptureWriter, on_progress: OnProgress, decide: Decide | None
    ) -> None:
        self._settings = settings
        self._decide = decide
        self._runs = settings.runs
        self._writer = writer
        self._on_progress = on_progress
        self.phase = "start"
        self.run = 0
        self._said = ""

    def watch(self, interpreter: Interpreter, config: dict[str, Any]) -> str:  # Any: JSON values
        """Start the driver, record its events until it ends; the status of the capture."""
        with Target(interpreter.command, config) as target, passing_on_interrupts(target):
            for event in target.events():
                if not self._take(event, target):
                    target.kill()
                    break
            code = target.end()
        if target.timed_out:
            return self._timed_out()
        if self._said:
            return self._said
        if target.was_interrupted:
            return "interrupted"
        self._writer.fail(
            phase="process",
            run=self.run,
            message=_death(code, "before the first run" if self.phase == "start" else f"in {self._where()}"),
            hint=_death_hint(code, interpreter.runtime),
        )
        return "failed"

    def _take(self, event: dict[str, Any], target: Target) -> bool:  # Any: JSON values
        """Record one event, and answer it when the target waits; False when it could not be recorded."""
        if not self._note(event, target):
            return False
        if event["event"] == "waiting":
            self._answer(target)
        return True

    def _note(self, event: dict[str, Any], target: Timed) -> bool:  # Any: JSON values
        kind = event["event"]
        if kind == "end":
            self._said = event["status"]
        # After a time-out `phase` and `run` stay where the time ran out.
        elif kind == "run_start" and not target.timed_out:
            self.phase, self.run = ("warm-up" if event["warmup"] else "run"), event["run"]
            target.begin_run(self._settings.timeout_seconds)
        elif kind == "run_end":
            target.end_run()
        try:
            self._writer.record(event)
        except (OSError, LeakscanError) as error:
            self._said = "failed"
            self._writer.fail(
                phase="write",
                run=self.run,
                message=f"cannot write the capture: {error}",
                hint="is the disk full?",
            )
            return False
        self._report(kind)
        return True

    def _answer(self, target: Target) -> None:
        asked = self._decide(self._writer.pause()) if self._decide is not None else None
        if isinstance(asked, MoreRuns):
            self._runs = asked.runs
            self._writer.reopen(asked.runs)
            target.command({"command": "more", "runs": asked.runs})
        elif isinstance(asked, Prove):
            self._writer.ask_for_proof(asked.cut, asked.types)
            order = {"references": asked.references, "survivors": asked.survivors, "others": asked.others}
            target.command({"command": "prove", "types": asked.types, **order})
        elif isinstance(asked, Blame):
            self._writer.ask_for_blame(asked.slots, asked.runs)
            target.command({"command": "blame", "holders": asked.holders, "runs": asked.runs})
        else:
            if isinstance(asked, MadeIn):
                self._writer.tell_blame(asked.written, asked.failed)
            target.command({"command": "end"})

    def _report(self, kind: str) -> None:
        if self._on_progress is None:
            return
        settings = self._settings
        if kind == "run_start":
            total = settings.warmup if self.phase == "warm-up" else self._runs
            self._on_progress(Progress(self.phase, self.run - 1, total))
        elif kind in ("settled", "end"):
            self._on_progress(Progress("settle" if kind == "settled" else "end", self.run, self._runs))

    def _timed_out(self) -> str:
        # Whatever the driver said after the interrupt is a consequence of it.
        self._writer.forget_failure()
        self._writer.fail(
            phase=self.phase,
            run=self.run,
            message=f"{self._where()} did not end within {self._settings.timeout_seconds:g} seconds",
            hint="a longer --timeout, or a scenario that ends by itself",
        )
        return "failed"

    def _where(self) -> str:
        return place_of(self.phase, self.run)


def place_of(phase: str, run: int) -> str:
    """`run 7`, `warm-up run 2`, `its import` ..."""
    words = {
        "warm-up": f"warm-up run {run}",
        "run": f"run {run}",
        "import": "its import",
        "set-up": "its setup",
    }
    return words.get(phase, f"phase {phase}")


def _death(code: int, where: str) -> str:
    if code >= 0:
        return f"the target's process ended by itself {where}, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the target's process was ended by {name} {where}"


def _death_hint(code: int, runtime: str) -> str:
    if code == -signal.SIGKILL:
        return "the kernel kills so when memory runs out; try fewer --runs"
    if runtime == "node":
        if code == -signal.SIGABRT:
            return "V8 ends so when its heap is full; NODE_OPTIONS=--max-old-space-size=4096, or fewer --runs"
    elif code < 0:
        return "PYTHONFAULTHANDLER=1 leakscan capture ... prints where it crashed"
    return "a scenario must return, not end the process"
