"""`leakscan compare`: two captures, before and after a fix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leakscan.cli import exits

EXAMPLES = (
    "leakscan compare leak/ fixed/",
    "leakscan compare v1/ v2/ --no-worse --json",
)


def compare(
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE", help="The capture before the change.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The capture after the change.")],
    no_worse: Annotated[
        bool, typer.Option("--no-worse", help="Pass when no leak is new or larger, though some may stay.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Say what a change did to each leak: gone, smaller, same, new.

    Exit code 0: the candidate passes. 1: it leaks. 2: too few runs to say.
    """
    from leakscan.analysis.compare import compare as compare_findings
    from leakscan.cli.analyse import analysed_one
    from leakscan.report.compare import compare_text
    from leakscan.report.json import document
    from leakscan.report.terminal import screen_of, write

    comparison = compare_findings(analysed_one([baseline]), analysed_one([candidate]))
    if as_json:
        sys.stdout.write(document("compare", comparison))
    else:
        screen = screen_of(sys.stdout)
        write(compare_text(comparison, screen, accepts_same=no_worse), sys.stdout, screen)
    if comparison.is_fixed or (no_worse and comparison.is_no_worse):
        return
    is_undecided = comparison.headline.startswith("UNDECIDED")
    raise typer.Exit(exits.CANNOT_RUN if is_undecided else exits.LEAKS_FOUND)
