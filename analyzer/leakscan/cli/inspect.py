"""`leakscan inspect`: one object of a snapshot, its fields and its holders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan inspect leak/ 'streamlab.workflow.default._runs'",
    "leakscan inspect leak/after.heap 'Workflow._runs[*]' --limit 5",
    "leakscan inspect leak/ '#24488'",
)


def inspect(
    snapshot: Annotated[Path, argument(metavar="SNAPSHOT", help="A snapshot, or a capture: its last one.")],
    pattern: Annotated[
        str, argument(metavar="PATTERN", help="As a report writes it, a type, #NUMBER, or a pasted line.")
    ],
    limit: Annotated[int, option(min=1, metavar="N", help="Most fields and holders to show.")] = 20,
    all_paths: Annotated[bool, option("--paths", help="Show every step of the paths.")] = False,
    as_json: Annotated[bool, option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Show one object: fields, holders, sizes, birth, ways to it.

    Names and types, no values. Several objects are listed, and the biggest of them is shown.
    """
    from leakscan.answers.looking import inspect as inspected
    from leakscan.report.share.json import document
    from leakscan.report.text.inspect import inspect_text
    from leakscan.report.text.terminal import screen_of, write

    found = inspected(snapshot, pattern, limit=limit)
    if as_json:
        sys.stdout.write(document("inspect", found))
        return
    screen = screen_of(sys.stdout)
    write(inspect_text(found, screen, all_paths=all_paths), sys.stdout, screen)
