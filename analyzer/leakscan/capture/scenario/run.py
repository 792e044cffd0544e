"""Capture a scenario: run it in a process of its own and keep what it leaves in a directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from leakscan.capture.directory.output import OutputDirectory
from leakscan.capture.directory.reader import Capture, read_capture
from leakscan.capture.directory.run_file import Failure, ModesFile, is_capture, write_run_file
from leakscan.capture.directory.writer import CaptureWriter
from leakscan.capture.interpreter import Interpreter, find_interpreter
from leakscan.capture.node import find_node, is_script
from leakscan.capture.scenario.decision import Decide
from leakscan.capture.scenario.observe import Observation, OnProgress, driver_config, place_of
from leakscan.capture.scenario.settings import DEFAULT_SETTINGS, MODES, Progress, Settings, begun_run
from leakscan.errors import CaptureError, LeakscanError, UsageError

TARGETS_PHASES = ("import", "set-up", "warm-up", "run", "settle")
"""Those in which the target's own code runs."""


class ModeDoesNotApply(CaptureError):
    """The scenario cannot end the way the mode asks for."""


def capture(
    target: str,
    *,
    output: Path,
    mode: str = "consume",
    python: str | None = None,
    node: str | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    overwrite: bool = False,
    on_progress: OnProgress = None,
    decide: Decide | None = None,
) -> Capture:
    """Run the scenario and write the capture directory `output`.

    When the runs are done the target waits while `decide` looks at the capture and asks for more.
    Returns a complete or an interrupted capture. CaptureError: the target failed; what was captured
    until then is in `output` and readable, and the error says what is missing.
    """
    if mode not in MODES:
        raise UsageError(f"there is no mode {mode!r}", hint=f"one of {', '.join(MODES)}, or all")
    interpreter = _interpreter(target, python, node, settings)
    with OutputDirectory(output, overwrite=overwrite) as place:
        failure, status = _fill(place, target, interpreter, mode, settings, on_progress, decide)
        if status in ("failed", "not-applicable") or not place.keep:
            missing = read_capture(output).missing if place.keep else ()
            raise _failure(target, failure, status, kept=output if place.keep else None, missing=missing)
    return read_capture(output)


def capture_modes(
    target: str,
    *,
    output: Path,
    modes: Sequence[str] = MODES,
    python: str | None = None,
    node: str | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    overwrite: bool = False,
    on_progress: Callable[[str, Progress], None] | None = None,
    decide: Decide | None = None,
) -> dict[str, Capture | LeakscanError]:
    """Capture the scenario once for each mode, each in a fresh process, into `output`/<mode>/.

    A mode that failed or does not apply gives its error. An interrupted one is the last.
    """
    results: dict[str, Capture | LeakscanError] = {}
    with OutputDirectory(output, overwrite=overwrite) as place:
        for mode in modes:
            try:
                results[mode] = capture(
                    target,
                    output=output / mode,
                    mode=mode,
                    python=python,
                    node=node,
                    settings=settings,
                    on_progress=None if on_progress is None else partial(on_progress, mode),
                    decide=decide,
                )
            except LeakscanError as error:
                results[mode] = error
            statuses = {each: _status_of(result) for each, result in results.items()}
            write_run_file(output, ModesFile(target=target, modes=statuses))
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


def _interpreter(target: str, python: str | None, node: str | None, settings: Settings) -> Interpreter:
    if not is_script(target):
        if node is not None:
            raise UsageError(
                f"--node is for JavaScript; {target} is none", hint="name a .mjs, .cjs or .js file"
            )
        return find_interpreter(python)
    if python is not None:
        raise UsageError(
            f"--python is for Python; {target} is JavaScript", hint="name a Node with --node PATH"
        )
    for option, is_set in (
        ("--sites", settings.sites),
        ("--redact-keys", settings.redact_keys),
        ("--values", settings.values),
    ):
        if is_set:
            raise UsageError(f"{option}: V8 writes its heap snapshots itself", hint=f"leave {option} out")
    if settings.setup or settings.arguments or settings.requests:
        raise UsageError(
            "--setup, --arg and --request are for Python; a module of JavaScript sets up at its top level",
            hint="write it into the module",
        )
    return find_node(node)


def _fill(
    place: OutputDirectory,
    target: str,
    interpreter: Interpreter,
    mode: str,
    settings: Settings,
    on_progress: OnProgress,
    decide: Decide | None,
) -> tuple[Failure | None, str]:
    """Run the target; what went wrong, and the status."""
    version = interpreter.version if interpreter.runtime == "cpython" else ""
    begun = begun_run(target, mode, settings, runtime=interpreter.runtime, python=version)
    try:
        writer = CaptureWriter(place.directory, begun)
        try:
            config = driver_config(target, mode, settings, place.directory, is_interactive=decide is not None)
            status = Observation(settings, writer, on_progress, decide).watch(interpreter, config)
            writer.close(status)
        finally:
            place.keep = writer.has_snapshots
    except OSError as error:
        raise CaptureError(
            f"cannot write {place.directory}: {error.strerror}",
            hint=f"what was captured until then is in {place.directory}"
            if place.keep
            else "choose another -o",
        ) from error
    return writer.run.error, status


def _failure(
    target: str,
    failure: Failure | None,
    status: str,
    *,
    kept: Path | None,
    missing: tuple[str, ...],
) -> CaptureError:
    if failure is None:
        return CaptureError(
            f"the capture of {target} was stopped before the baseline", hint="nothing was kept"
        )
    if status == "not-applicable":
        return ModeDoesNotApply(failure.message, hint="`--mode all` tries every mode and leaves out such")
    message = failure.message
    if failure.type_name:
        where = place_of(failure.phase, failure.run)
        who = target if failure.phase in TARGETS_PHASES else "leakscan itself, please report:"
        message = f"{who} raised {failure.type_name} in {where}: {message}\n{failure.traceback}"
    hints = [failure.hint] if failure.hint else []
    if kept is not None:
        hints.append(f"{kept} keeps what was captured; missing: {'; '.join(missing) or 'nothing'}")
    return CaptureError(message.rstrip(), hint="\n".join(hints))
