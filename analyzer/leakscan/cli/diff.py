"""`leakscan diff`: what survived the runs, what holds it, and which references must go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option
from leakscan.cli.redact import Redact, level_of

EXAMPLES = (
    "leakscan diff leak/",
    "leakscan diff leak/ --type ModelOutput --paths",
    "leakscan diff before.heap after.heap --json",
    "leakscan diff 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot --runs 17",
)


def diff(
    snapshots: Annotated[
        list[Path],
        argument(metavar="DIR | BEFORE [...] AFTER", help="A capture, or snapshots in order."),
    ],
    type_name: Annotated[
        str | None,
        option("--type", metavar="T", help="Only types whose qualified name ends with T."),
    ] = None,
    runs: Annotated[
        int,
        option(
            min=0, metavar="N", help="The scenario ran N times between one bare V8 snapshot and the next."
        ),
    ] = 0,
    source_maps: Annotated[
        Path | None,
        option(metavar="DIR", help="Places of JavaScript by maps in DIR, else by those of the scripts."),
    ] = None,
    paths: Annotated[bool, option("--paths", help="Show every path, with all of its steps.")] = False,
    limit: Annotated[int, option(min=0, metavar="N", help="Most leaks and types to show; 0 shows all.")] = 10,
    as_json: Annotated[
        bool, option("--json", help="Print everything as JSON (docs/schema/findings-1.json).")
    ] = False,
    redact: Redact = "none",
) -> None:
    """Find what survived the runs, what holds it, and what to cut.

    Finding a leak is no failure: exit code 0. The gate is `leakscan check`.
    """
    from leakscan.analysis.workers import answer_of_workers
    from leakscan.answers.analyse import analysed
    from leakscan.answers.sources import is_of_workers
    from leakscan.answers.workers import memory_of_workers
    from leakscan.report.text.findings import TextOptions, findings_text, modes_text
    from leakscan.report.text.terminal import screen_of, write

    results, unreadable = analysed(snapshots, type_name=type_name, runs_each=runs, source_maps=source_maps)
    is_one = len(results) == 1 and not unreadable
    without_answer = tuple((mode.mode, mode.reason) for mode in unreadable)
    if redact != "none":
        from leakscan.report.share.json import FindingsByMode
        from leakscan.report.share.redaction import redacted

        shown = redacted(FindingsByMode(tuple(results), without_answer), level_of(redact))
        results, without_answer = list(shown.modes), shown.unreadable
    is_workers = is_of_workers(snapshots)
    if as_json:
        from leakscan.report.share.json import findings_by_mode_json, findings_json

        if is_workers:
            merged = answer_of_workers(results, without_answer, memory_of_workers(snapshots[0])).merged
            sys.stdout.write(findings_by_mode_json(results, without_answer, merged))
            return
        sys.stdout.write(
            findings_json(results[0]) if is_one else findings_by_mode_json(results, without_answer)
        )
        return
    screen = screen_of(sys.stdout)
    options = TextOptions(limit=limit, all_paths=paths, screen=screen)
    if is_workers:
        from leakscan.report.text.workers import workers_text

        lines = workers_text(
            answer_of_workers(results, without_answer, memory_of_workers(snapshots[0])), options
        )
    elif is_one:
        lines = findings_text(results[0], options)
    else:
        lines = modes_text(results, without_answer, options)
    write(lines, sys.stdout, screen)
