"""Capture a scenario: start it in its own process, record what it measures, keep what can be kept."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import leakscan
from leakscan.capture.directory import Capture, is_capture, read_capture
from leakscan.capture.interpreter import Interpreter, find_interpreter
from leakscan.capture.ledger import Ledger, write_modes
from leakscan.capture.place import Place
from leakscan.capture.process import Target, passing_on_interrupts
from leakscan.errors import CaptureError, LeakscanError, UsageError

MODES = ("consume", "abandon", "cancel", "timeout", "error", "concurrent")
MOST_RUNS = 65533
"""Births are two bytes wide, less the marks for "leakscan's own" and "unknown"."""


class ModeDoesNotApply(CaptureError):
    """The scenario cannot end the way the mode asks for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the target is doing. `phase`: start, warm-up, run, settle, end; `done` of `total` runs."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a scenario is run. `chunks`: how many are taken before a stream is cut off.

    `timeout_seconds` bounds each run; `settle_seconds` the wait for work in flight to end after the last.
    `every`: a snapshot after every so many runs besides the first and the last (0: none).
    """

    runs: int = 20
    warmup: int = 3
    chunks: int = 3
    every: int = 0
    settle_seconds: float = 2.0
    timeout_seconds: float | None = None
    sites: bool = False
    redact_keys: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.runs <= MOST_RUNS:
            raise UsageError(f"{self.runs} runs cannot be captured", hint=f"from 1 to {MOST_RUNS}")
        for name in ("warmup", "every"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} {getattr(self, name)} is negative", hint="0 switches it off")
        if self.chunks < 1:
            raise UsageError(f"--chunks {self.chunks}: a stream gives chunks one by one", hint="1 or more")
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise UsageError("--timeout must be more than 0 seconds", hint="leave it out for no limit")
        if self.settle_seconds < 0:
            raise UsageError("--settle cannot be negative", hint="0 counts at once")


def capture(
    target: str,
    *,
    output: Path,
    mode: str = "consume",
    python: str | None = None,
    settings: Settings = Settings(),
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Capture:
    """Run the scenario and write the capture directory `output`.

    Returns a complete or an interrupted capture. CaptureError: the target failed; what was captured
    until then is in `output` and readable, and the error says what is missing.
    """
    if mode not in MODES:
        raise UsageError(f"there is no mode {mode!r}", hint=f"one of {', '.join(MODES)}, or all")
    interpreter = find_interpreter(python)
    with Place(output, overwrite=overwrite) as place:
        error, status = _fill(place, target, interpreter, mode, settings, on_progress)
        if status in ("failed", "not-applicable") or not place.keep:
            missing = read_capture(output).missing if place.keep else ()
            raise _failure(target, error, status, kept=output if place.keep else None, missing=missing)
    return read_capture(output)


def capture_modes(
    target: str,
    *,
    output: Path,
    modes: Sequence[str] = MODES,
    python: str | None = None,
    settings: Settings = Settings(),
    overwrite: bool = False,
    on_progress: Callable[[str, Progress], None] | None = None,
) -> dict[str, Capture | LeakscanError]:
    """Capture the scenario once for each mode, each in a fresh process, into `output`/<mode>/.

    A mode that failed or does not apply gives its error. An interrupted one is the last.
    """
    results: dict[str, Capture | LeakscanError] = {}
    with Place(output, overwrite=overwrite) as place:
        for mode in modes:
            each = None if on_progress is None else partial(on_progress, mode)
            try:
                results[mode] = capture(
                    target,
                    output=output / mode,
                    mode=mode,
                    python=python,
                    settings=settings,
                    on_progress=each,
                )
            except LeakscanError as error:
                results[mode] = error
            write_modes(output, target, {mode: _status_of(result) for mode, result in results.items()})
            place.keep = place.keep or is_capture(output / mode)
            if _status_of(results[mode]) == "interrupted":
                break
        if not place.keep:
            raise next(result for result in results.values() if isinstance(result, LeakscanError))
    return results


def _status_of(result: Capture | LeakscanError) -> str:
    if isinstance(result, Capture):
        return result.status
    return "not-applicable" if isinstance(result, ModeDoesNotApply) else "failed"


def _fill(
    place: Place,
    target: str,
    interpreter: Interpreter,
    mode: str,
    settings: Settings,
    on_progress: Callable[[Progress], None] | None,
) -> tuple[dict[str, Any] | None, str]:
    """Run the target; what went wrong, and the status."""
    try:
        ledger = Ledger(
            place.directory,
            {
                "target": target,
                "mode": mode,
                "runs": settings.runs,
                "warmup": settings.warmup,
                "chunks": settings.chunks,
                "births": True,
                "sites": settings.sites,
                "redacted": settings.redact_keys,
                "python": interpreter.version,
            },
        )
        try:
            status = _observe(target, interpreter.path, mode, settings, ledger, place.directory, on_progress)
            ledger.close(status)
        finally:
            place.keep = ledger.has_snapshots
    except OSError as error:
        raise CaptureError(
            f"cannot write {place.directory}: {error.strerror}",
            hint=f"what was captured until then is in {place.directory}"
            if place.keep
            else "choose another -o",
        ) from error
    return ledger.run["error"], status


def _observe(
    target: str,
    python: str,
    mode: str,
    settings: Settings,
    ledger: Ledger,
    directory: Path,
    on_progress: Callable[[Progress], None] | None,
) -> str:
    config = {
        "target": target,
        "mode": mode,
        "runs": settings.runs,
        "warmup": settings.warmup,
        "chunks": settings.chunks,
        "every": settings.every,
        "settle_seconds": settings.settle_seconds,
        "sites": settings.sites,
        "redact_keys": settings.redact_keys,
        "output": str(directory.absolute()),
        "package_dir": str(Path(leakscan.__file__).parent),
        "native_path": _native_path(),
    }
    phase, run, status = "start", 0, ""
    with Target(python, config) as process, passing_on_interrupts(process):
        for event in process.events():
            kind = event["event"]
            if kind == "run_start":
                phase, run = ("warm-up" if event["warmup"] else "run"), event["run"]
                process.set_deadline(settings.timeout_seconds)
            elif kind == "run_end":
                process.set_deadline(None)
            elif kind == "settled":
                phase = "settle"
            elif kind == "end":
                status = event["status"]
            try:
                ledger.record(event)
            except (OSError, LeakscanError) as error:
                process.kill()
                ledger.fail(phase="write", run=run, message=f"cannot write the capture: {error}",
                            hint="is the disk full?")  # fmt: skip
                status = "failed"
                break
            if on_progress is not None:
                _report(on_progress, kind, phase, run, settings)
        code = process.end()
    if process.timed_out:
        ledger.run["error"] = None
        ledger.fail(
            phase=phase,
            run=run,
            message=f"{_where(phase, run)} did not end within {settings.timeout_seconds:g} seconds",
            hint="a longer --timeout, or a scenario that ends by itself",
        )
        return "failed"
    if not status and process.was_interrupted:
        return "interrupted"
    if not status:
        ledger.fail(phase="process", run=run, message=_death(code, phase, run), hint=_death_hint(code))
        return "failed"
    return status


def _report(
    on_progress: Callable[[Progress], None], kind: str, phase: str, run: int, settings: Settings
) -> None:
    if kind == "run_start":
        on_progress(Progress(phase, run - 1, settings.warmup if phase == "warm-up" else settings.runs))
    elif kind == "settled":
        on_progress(Progress("settle", settings.runs, settings.runs))
    elif kind == "end":
        on_progress(Progress("end", run, settings.runs))


def _failure(
    target: str, error: dict[str, Any] | None, status: str, *, kept: Path | None, missing: tuple[str, ...]
) -> CaptureError:
    if status == "not-applicable" and error is not None:
        return ModeDoesNotApply(error["message"], hint="`--mode all` tries every mode and leaves out such")
    if error is None:
        return CaptureError(
            f"the capture of {target} was stopped before the baseline", hint="nothing was kept"
        )
    message = error["message"]
    if error["type_name"]:
        message = f"{target} raised {error['type_name']} in {_where(error['phase'], error['run'])}: {message}"
        message = f"{message}\n{error['traceback'].rstrip()}"
    hints = [error["hint"]] if error["hint"] else []
    if kept is not None:
        hints.append(f"{kept} keeps what was captured; missing: {'; '.join(missing) or 'nothing'}")
    return CaptureError(message.rstrip(), hint="\n".join(hints))


def _where(phase: str, run: int) -> str:
    words = {"warm-up": f"warm-up run {run}", "run": f"run {run}", "import": "its import"}
    return words.get(phase, f"phase {phase}")


def _death(code: int, phase: str, run: int) -> str:
    where = "before the first run" if phase == "start" else f"in {_where(phase, run)}"
    if code >= 0:
        return f"the target's process ended by itself {where}, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the target's process was ended by {name} {where}"


def _death_hint(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the kernel kills so when memory runs out; try fewer --runs"
    if code < 0:
        return "PYTHONFAULTHANDLER=1 leakscan capture ... prints where it crashed"
    return "a scenario must return, not end the process"


def _native_path() -> str:
    spec = importlib.util.find_spec("leakscan._native")
    if spec is None or spec.origin is None:
        raise CaptureError("leakscan's native module is not built", hint="make native")
    return spec.origin
