"""`leakscan whatif`: what removing the named references would free."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan whatif leak/ --cut 'Workflow._runs[*]'",
    "leakscan whatif leak/ --cut 'Workflow._runs[*]' --weak 'Emitter.handlers[*]'",
    "leakscan whatif 1.heapsnapshot 2.heapsnapshot --cut 'Workflow.#runs.get(*)'",
)


def whatif(
    snapshots: Annotated[
        list[Path],
        argument(metavar="DIR | [BEFORE] SNAPSHOT", help="A capture, two snapshots or one."),
    ],
    cut: Annotated[
        list[str] | None,
        option(metavar="PATTERN", help="References to remove, written as a report does; may be repeated."),
    ] = None,
    weak: Annotated[
        list[str] | None,
        option(metavar="PATTERN", help="References to make weak; may be repeated."),
    ] = None,
    as_json: Annotated[bool, option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Say what would be freed if these references were gone."""
    from leakscan.answers.whatif import whatif as answer_of
    from leakscan.report.share.json import document
    from leakscan.report.text.terminal import screen_of, write
    from leakscan.report.text.whatif import whatif_text

    answer = answer_of(*snapshots, cut=cut or (), weak=weak or ())
    if as_json:
        sys.stdout.write(document("whatif", answer))
        return
    screen = screen_of(sys.stdout)
    write(whatif_text(answer, screen), sys.stdout, screen)
