"""`leakscan capture -- COMMAND`: any program; it marks its runs, or calls, the clock or requests do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leakscan.cli.capture_options import CaptureOptions

if TYPE_CHECKING:
    from leakscan.capture import Capture
    from leakscan.capture.program.run import Marks

_CALLED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

_CALLED_AGAIN: Final = "name what a run is as the target: leakscan capture shop.orders:handle {} -o DIR"
NOT_OF_A_COMMAND: Final = {
    "--arg": ("a command has its own arguments", "write them behind `--`"),
    "--setup": ("a command sets itself up", "leave it out"),
    "--node": ("the command names its own Node", "write it behind `--`"),
    "--until-sure": (
        "the runs of a command are judged when all of them are made",
        "--runs 40, and give it work for so many",
    ),
    "--prove": (
        "a proof makes more runs in a forked child, and a child of a program can make none",
        "`leakscan whatif DIR --cut PATTERN` says what the cut would free; or "
        + _CALLED_AGAIN.format("--prove"),
    ),
    "--blame": (
        "it makes more runs to see which lines fill the holders, and a command makes its own",
        "--sites says which line made the objects; or " + _CALLED_AGAIN.format("--blame"),
    ),
    "--native": (
        "memray traces more runs, and a command makes its own",
        _CALLED_AGAIN.format("--native"),
    ),
    "--trim-probe": ("it changes the memory of a program that goes on", "leave it out"),
}
"""Why an option makes no sense here, and what to do."""


def capture_command(asked: CaptureOptions) -> Capture:
    """Start the command and count its runs. UsageError: something was asked for that a command has not."""
    from leakscan.capture.program.run import MARKED, capture_program
    from leakscan.cli.capture_progress import progress_on_stderr
    from leakscan.errors import UsageError

    if asked.target is not None:
        raise UsageError(
            f"{asked.target} is a scenario, and after `--` comes a command: one of them can be captured",
            hint="leave one out; --on-call says which function of a command is a run",
        )
    for flag in asked.only_for_scenarios:
        why, instead = NOT_OF_A_COMMAND[flag]
        if flag == "--until-sure" and asked.url:
            instead = "--runs 60: leakscan sends as many requests"
        raise UsageError(f"{flag} is for scenarios: {why}", hint=instead)
    if not asked.command:
        raise UsageError(
            "--on-call and --url need a command",
            hint="write it behind `--`: -- python -m shop; -- uvicorn app:app",
        )
    marks = _marks(asked)
    environment = _environment(asked)
    with progress_on_stderr(" ".join(asked.command)) as on_progress:
        return capture_program(
            asked.command,
            output=asked.output,
            marks=marks,
            settings=asked.settings(),
            environment=environment,
            mode=asked.mode if asked.url else MARKED,
            overwrite=asked.overwrite,
            on_progress=lambda progress: on_progress(asked.mode if asked.url else MARKED, progress),
        )


def _marks(asked: CaptureOptions) -> Marks:
    from leakscan.capture.program.orders import by_time
    from leakscan.capture.program.run import Marks
    from leakscan.errors import UsageError

    if asked.url:
        return _marks_of_server(asked)
    if asked.mode != "consume":
        raise UsageError(
            f"--mode {asked.mode}: the program ends its streams itself", hint="--url sends requests to it"
        )
    if asked.request or asked.requests:
        raise UsageError("--request needs the address of the server", hint="--url http://127.0.0.1:8000")
    if asked.every_seconds and asked.on_call:
        raise UsageError("--every and --on-call both say what a run is", hint="choose one")
    if asked.every_seconds:
        return Marks(
            kind=f"a program, run by the clock: {asked.every}",
            option=f"--every {asked.every}",
            drive=by_time(asked.every_seconds),
            hint="does a Python of this machine run it, without -I, -E or -S?",
        )
    if not asked.on_call:
        return Marks()
    for name in asked.on_call:
        if not _CALLED.fullmatch(name):
            raise UsageError(
                f"--on-call {name!r} names no function", hint="package.module:function or module:Class.method"
            )
        file, _, function = name.partition(":")
        if file.endswith(".py"):
            module = file.removesuffix(".py")
            raise UsageError(
                f"--on-call {name}: a function is named by its module, not by a file",
                hint=f"__main__:{function} when {file} is the script, else {module}:{function}",
            )
    names = ", ".join(asked.on_call)
    return Marks(
        kind=f"a program, one run for each return of {names}",
        option=" ".join(f"--on-call {name}" for name in asked.on_call),
        on_call=tuple(asked.on_call),
        hint=f"was {names} called? A function of the script itself is __main__:function",
    )


def _marks_of_server(asked: CaptureOptions) -> Marks:
    from leakscan.capture.program.run import Marks
    from leakscan.capture.program.serving import by_requests, check_is_free, requests_to, server_of
    from leakscan.errors import UsageError

    if asked.every_seconds or asked.on_call:
        raise UsageError("--url, --every and --on-call each say what a run is", hint="choose one")
    server = server_of(asked.url)
    requests = requests_to(server, asked.request or (), asked.requests_of_file())
    drive = by_requests(server, requests, mode=asked.mode, chunks=asked.chunks, timeout_seconds=asked.timeout)
    check_is_free(server)
    given = [f"--request {shlex.quote(text)}" for text in asked.request or ()]
    if asked.requests is not None:
        given.append(f"--requests {shlex.quote(str(asked.requests))}")
    return Marks(
        kind=f"a server, {len(requests)} requests a run"
        if len(requests) > 1
        else "a server, a request a run",
        option=" ".join([f"--url {shlex.quote(asked.url)}", *given]),
        drive=drive,
        hint="what the server said is above",
    )


def _environment(asked: CaptureOptions) -> dict[str, str]:
    """As the project's own environment would be active; one line on stderr says which it is."""
    from leakscan.capture.environment import project_python
    from leakscan.capture.interpreter import find_interpreter

    chosen = project_python(asked.python, target="", folder=Path.cwd(), environment=os.environ)
    environment = dict(os.environ)
    places = [environment.get("PATH", os.defpath)]
    if chosen.python is not None:
        python = Path(find_interpreter(chosen.python).command[0])
        places.insert(0, str(python.parent))
        if (python.parent.parent / "pyvenv.cfg").exists():
            environment["VIRTUAL_ENV"] = str(python.parent.parent)
    else:
        # A command that nobody else has may be beside us.
        places.append(str(Path(sys.executable).parent))
    environment["PATH"] = os.pathsep.join(places)
    first = asked.command[0] if asked.command else ""
    found = shutil.which(first, path=environment["PATH"])
    if found is not None:
        print(f"starting {found} ({chosen.how})", file=sys.stderr, flush=True)
    return environment
