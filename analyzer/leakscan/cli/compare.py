"""`leakscan compare`: two captures, before and after a fix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli import exits
from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan compare leak/ fixed/",
    "leakscan compare v1/ v2/ --no-worse --json",
)


def compare(
    baseline: Annotated[Path, argument(metavar="BASELINE", help="The capture before the change.")],
    candidate: Annotated[Path, argument(metavar="CANDIDATE", help="The capture after the change.")],
    no_worse: Annotated[
        bool, option("--no-worse", help="Pass when no leak is new or larger, though some may stay.")
    ] = False,
    as_json: Annotated[bool, option("--json", help="Print the whole answer as JSON.")] = False,
) -> int:
    """Say what a change did to each leak: gone, smaller, same, new.

    Captures of several modes are compared mode by mode. Exit code 0: the candidate passes. 1: it leaks.
    2: too few runs to say, or a mode that only one of the two has.
    """
    from leakscan.analysis.compare import ComparisonByMode, Outcome
    from leakscan.answers.compare import compare as compare_captures
    from leakscan.report.share.json import document
    from leakscan.report.text.compare import compare_modes_text, compare_text
    from leakscan.report.text.terminal import screen_of, write

    found = compare_captures(baseline, candidate)
    screen = screen_of(sys.stdout)
    if isinstance(found, ComparisonByMode):
        compared, is_whole = [one for _, one in found.modes], not found.unmatched
        text = compare_modes_text(found, screen, accepts_same=no_worse)
    else:
        compared, is_whole = [found], True
        text = compare_text(found, screen, accepts_same=no_worse)
    if as_json:
        kind = "compare-by-mode" if isinstance(found, ComparisonByMode) else "compare"
        sys.stdout.write(document(kind, found))
    else:
        write(text, sys.stdout, screen)
    failing = [one for one in compared if not (one.is_fixed or (no_worse and one.is_no_worse))]
    if any(one.outcome is not Outcome.UNDECIDED for one in failing):
        return exits.LEAKS_FOUND
    if failing or not is_whole:
        return exits.CANNOT_RUN
    return 0
