"""`leakscan capture -- COMMAND`: any program; it marks its runs, or calls, the clock or requests do."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leakscan.cli.capture_options import CaptureOptions

if TYPE_CHECKING:
    from leakscan.capture import Capture
    from leakscan.capture.program.run import Marks

_CALLED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def capture_command(asked: CaptureOptions) -> Capture:
    """Start the command and count its runs. UsageError: something was asked for that a command has not."""
    from leakscan.capture.program.run import capture_program
    from leakscan.cli.capture_progress import progress_on_stderr
    from leakscan.errors import UsageError

    if asked.target is not None:
        raise UsageError(
            f"{asked.target} is a scenario, and after `--` comes a command: one of them can be captured",
            hint="leave one out; --on-call says which function of a command is a run",
        )
    if asked.only_for_scenarios:
        raise UsageError(
            f"{asked.only_for_scenarios[0]} is for scenarios, which leakscan calls itself",
            hint="leave it out",
        )
    if not asked.command:
        raise UsageError("--on-call needs a command", hint="--on-call shop.orders:handle -- python -m shop")
    marks = _marks(asked)
    environment = _environment(asked)
    with progress_on_stderr(" ".join(asked.command)) as on_progress:
        return capture_program(
            asked.command,
            output=asked.output,
            marks=marks,
            settings=asked.settings(),
            environment=environment,
            overwrite=asked.overwrite,
            on_progress=lambda progress: on_progress("marked", progress),
        )


def _marks(asked: CaptureOptions) -> Marks:
    from leakscan.capture.program.run import Marks, by_time
    from leakscan.errors import UsageError

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
    names = ", ".join(asked.on_call)
    return Marks(
        kind=f"a program, one run for each return of {names}",
        option=" ".join(f"--on-call {name}" for name in asked.on_call),
        on_call=tuple(asked.on_call),
        hint=f"was {names} called? A function of the script itself is __main__:function",
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
