"""`leakscan stuck`: the tasks and threads that can never wake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan stuck leak/",
    "leakscan stuck 4312",
    "leakscan stuck leak/after.heap --all",
)


def stuck(
    target: Annotated[
        Path,
        argument(metavar="SNAPSHOT|DIR|PID", help="A snapshot, a capture (its last one), or a process."),
    ],
    show_all: Annotated[bool, option("--all", help="Show those that can wake as well.")] = False,
    limit: Annotated[int, option(min=0, metavar="N", help="Most groups to show; 0 shows all.")] = 10,
    as_json: Annotated[bool, option("--json", help="Print every wait as JSON.")] = False,
) -> None:
    """Show tasks, threads and async functions that can never wake.

    asyncio, anyio, trio, uvloop, threads of Python, and promises of Node. Nothing is said where there is
    doubt.
    """
    from leakscan.answers.stuck import stuck as stuck_in
    from leakscan.report.share.json import document
    from leakscan.report.text.stuck import stuck_text
    from leakscan.report.text.terminal import screen_of, write

    found = stuck_in(target)
    if as_json:
        sys.stdout.write(document("stuck", found))
        return
    screen = screen_of(sys.stdout)
    write(stuck_text(found, screen, limit=limit, show_all=show_all), sys.stdout, screen)
