"""`leakscan top`: what the memory of one snapshot hangs on."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan top leak/after.heap",
    "leakscan top leak/ --by type --limit 10",
    "leakscan top leak/ --expand 'Workflow._runs' --depth 4",
)


class By(StrEnum):
    """What `--by` may be."""

    OBJECT = "object"
    TYPE = "type"


def top(
    snapshot: Annotated[
        Path, argument(metavar="SNAPSHOT", help="A snapshot, a capture (its last one), or a capsule.")
    ],
    by: Annotated[By, option(help="Single objects with what they dominate, or whole types.")] = By.OBJECT,
    expand: Annotated[
        str | None, option(metavar="PATTERN", help="Start below the object this reference leads to.")
    ] = None,
    depth: Annotated[int, option(min=1, max=50, metavar="N", help="Levels of the tree.")] = 2,
    limit: Annotated[int, option(min=1, metavar="N", help="Most rows on each level.")] = 10,
    as_json: Annotated[bool, option("--json", help="Print everything measured as JSON.")] = False,
) -> None:
    """Show what the memory of one snapshot hangs on.

    The biggest dominators: what would be freed if an object, or all objects of a type, were gone.
    """
    from leakscan.answers.top import top as top_in
    from leakscan.report.share.json import document
    from leakscan.report.text.terminal import screen_of, write
    from leakscan.report.text.top import top_objects_text, top_types_text

    found = top_in(snapshot, limit=limit, depth=depth, expand=expand)
    if as_json:
        sys.stdout.write(document("top", found))
        return
    screen = screen_of(sys.stdout)
    is_by_type = by is By.TYPE
    lines = (
        top_types_text(found, screen, limit=limit)
        if is_by_type
        else top_objects_text(found, screen, limit=limit)
    )
    write(lines, sys.stdout, screen)
