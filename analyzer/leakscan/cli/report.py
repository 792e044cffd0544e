"""`leakscan report`: the findings as one HTML page, or as a bug report in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leakscan.errors import LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.analysis.findings import Findings
    from leakscan.report.html import Switches

EXAMPLES = (
    "leakscan report leak/ -o report.html",
    "leakscan report leak/ -o report.md",
)
_MOST_SWITCHES = 5
"""Every combination is computed: 2 to the power of this many searches of the heap."""


def report(
    snapshots: Annotated[
        list[Path], typer.Argument(metavar="DIR | BEFORE AFTER", help="A capture, or two snapshots.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="FILE.html, or FILE.md with its graph.")
    ] = Path("report.html"),
    type_name: Annotated[
        str | None,
        typer.Option("--type", metavar="T", help="Only types whose qualified name ends with T."),
    ] = None,
) -> None:
    """Write a page to look at, or a bug report to file.

    The page is one file that loads nothing. Beside FILE.md stand FILE.dot and, with Graphviz, FILE.svg.
    """
    from leakscan.cli.analyse import analysed_one

    ending = output.suffix.lower()
    if ending not in (".html", ".htm", ".md"):
        raise UsageError(
            f"cannot tell from {output.name!r} what to write", hint="end the file's name with .html or .md"
        )
    findings = analysed_one(snapshots, type_name=type_name)
    if ending == ".md":
        _write_markdown(findings, output)
    else:
        from leakscan.report.html import html_report

        _write(output, html_report(findings, switches=_switches(snapshots, findings)))


def _write_markdown(findings: Findings, output: Path) -> None:
    from leakscan.report.dot import findings_dot
    from leakscan.report.graphviz import PictureError, write_graph
    from leakscan.report.markdown import markdown_report

    dot = findings_dot(findings)
    write_graph(dot, output.with_suffix(".dot"))
    picture = output.with_suffix(".svg").name
    try:
        write_graph(dot, output.with_suffix(".svg"))
    except PictureError as error:
        # The report is whole without its picture; the graph stands beside it as text.
        typer.echo(f"warning: no {picture}: {error.message}", err=True)
        picture = ""
    _write(output, markdown_report(findings, picture=picture))


def _switches(snapshots: list[Path], findings: Findings) -> Switches | None:
    """What every combination of the first few references to cut would free."""
    from leakscan.analysis.combinations import cut_combinations
    from leakscan.cli.sources import sources_of
    from leakscan.heap.reader import load
    from leakscan.report.html import Switches

    patterns = tuple(
        dict.fromkeys(
            member.pattern for leak in findings.leaks if leak.cut is not None for member in leak.cut.members
        )
    )[:_MOST_SWITCHES]
    (source, *_), _ = sources_of(snapshots)
    if not patterns or source.after is None:
        return None
    effects, survivors = cut_combinations(load(source.before, columns=()), load(source.after), patterns)
    return Switches(patterns, survivors, effects)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise LeakscanError(f"cannot write {path}: {error.strerror}") from error
