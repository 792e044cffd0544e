"""`leakscan paths`: what keeps the objects of a type alive, in one snapshot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan paths leak/after.heap --type ModelOutput",
    "leakscan paths leak/ --type asyncio.Task --limit 3 --paths",
)


def paths(
    snapshot: Annotated[Path, argument(metavar="SNAPSHOT", help="A snapshot, or a capture: its last one.")],
    type_name: Annotated[
        str,
        option(
            "--type",
            metavar="T",
            help="Types whose name ends with T; or a slot, #NUMBER.",
        ),
    ],
    all_paths: Annotated[bool, option("--paths", help="Show every path, with all of its steps.")] = False,
    source_maps: Annotated[
        Path | None,
        option(metavar="DIR", help="Places of JavaScript by maps in DIR, else by those of the scripts."),
    ] = None,
    limit: Annotated[int, option(min=0, metavar="N", help="Most ways to show; 0 shows all.")] = 10,
    as_json: Annotated[bool, option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Show what keeps the objects of a type alive, in one snapshot."""
    from leakscan.answers.paths import paths as paths_in
    from leakscan.report.share.json import document
    from leakscan.report.text.paths import type_paths_text
    from leakscan.report.text.terminal import screen_of, write

    found = paths_in(snapshot, type_name, limit=limit, source_maps=source_maps)
    if as_json:
        sys.stdout.write(document("paths", found))
        return
    screen = screen_of(sys.stdout)
    write(type_paths_text(found, screen, all_paths=all_paths), sys.stdout, screen)
