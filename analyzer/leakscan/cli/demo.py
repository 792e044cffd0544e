"""`leakscan demo`: a small program that leaks, captured and answered, to try the commands on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan demo",
    "leakscan demo try/",
    "leakscan whatif leak/ --cut 'Workflow._runs[*]'   # and any other command",
)

_TARGET = "streamlab:stream_once"


def demo(
    folder: Annotated[
        Path, argument(metavar="[FOLDER]", help="Where the program and its capture go.")
    ] = Path(),
    runs: Annotated[int, option("--runs", "-n", min=1, help="Counted runs.")] = 20,
) -> int:
    """Try leakscan on a program that comes with it.

    Writes the program into FOLDER/streamlab, captures it into FOLDER/leak, and shows the answer. The
    examples of the other commands work there.
    """
    import os

    from leakscan.capture.demo import write_demo
    from leakscan.cli.capture import capture
    from leakscan.cli.capture_options import CaptureOptions
    from leakscan.cli.diff import diff

    written = write_demo(folder)
    print(f"wrote {written}: an agent whose suspended streams nobody lets go", file=sys.stderr)
    os.chdir(folder)
    if folder != Path():
        print(f"$ cd {folder}")
    print(f"$ leakscan capture {_TARGET} --runs {runs} -o leak/", flush=True)
    code = capture(CaptureOptions(target=_TARGET, runs=runs, output=Path("leak"), overwrite=True))
    print("$ leakscan diff leak/", flush=True)
    diff([Path("leak")], limit=5)
    return code
