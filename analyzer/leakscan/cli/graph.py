"""`leakscan graph`: the retention paths as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan graph leak/ -o leak.svg",
    "leakscan graph leak/ --type ModelOutput --paths -o leak.dot",
)


def graph(
    snapshots: Annotated[
        list[Path], argument(metavar="DIR | BEFORE AFTER", help="A capture, or two snapshots.")
    ],
    output: Annotated[
        Path | None,
        option(
            "--output", "-o", metavar="FILE", help="FILE.dot, .svg, .png or .pdf; without it DOT on stdout."
        ),
    ] = None,
    type_name: Annotated[
        str | None,
        option("--type", metavar="T", help="Only types whose qualified name ends with T."),
    ] = None,
    paths: Annotated[bool, option("--paths", help="Draw every path, with all of its steps.")] = False,
    limit: Annotated[int, option(min=0, metavar="N", help="Most leaks to draw; 0 draws all.")] = 5,
) -> None:
    """Draw the paths that keep survivors alive.

    .dot and .svg need nothing. With Graphviz's `dot` the .svg is laid out by it; .png and .pdf need it.
    """
    from leakscan.answers.analyse import analysed_one
    from leakscan.report.pictures.dot import findings_dot
    from leakscan.report.pictures.graphviz import has_graphviz, write_graph, write_picture
    from leakscan.report.pictures.svg import findings_svg

    findings = analysed_one(snapshots, type_name=type_name)
    dot = findings_dot(findings, limit=limit, all_paths=paths)
    if output is None:
        sys.stdout.write(dot)
    elif output.suffix.lower() == ".svg" and not has_graphviz():
        write_picture(findings_svg(findings, limit=limit, all_paths=paths), output)
    else:
        write_graph(dot, output)
