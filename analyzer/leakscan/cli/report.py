"""`leakscan report`: the findings as one HTML page, or as a bug report in Markdown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from leakscan.cli.parameters import argument, option
from leakscan.cli.redact import Redact, level_of
from leakscan.errors import LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings

EXAMPLES = (
    "leakscan report leak/ -o report.html",
    "leakscan report leak/ --redact names -o report.md",
)


def report(
    snapshots: Annotated[
        list[Path], argument(metavar="DIR | BEFORE AFTER", help="A capture, or two snapshots.")
    ],
    output: Annotated[Path, option("--output", "-o", metavar="FILE", help="FILE.html, or FILE.md.")] = Path(
        "report.html"
    ),
    type_name: Annotated[
        str | None,
        option("--type", metavar="T", help="Only types whose qualified name ends with T."),
    ] = None,
    source_url: Annotated[
        str | None,
        option(metavar="URL", help="Where the source is shown: https://host/blob/main/{file}#L{line}."),
    ] = None,
    redact: Redact = "none",
) -> None:
    """Write a page to look at, or a bug report to file.

    The page is one file that loads nothing. The bug report carries its picture as a Mermaid block.
    """
    from leakscan.answers.analyse import analysed_one
    from leakscan.answers.bundle import capsule_of, only_findings
    from leakscan.answers.capsules import capsule_at
    from leakscan.report.html.page import html_report, switches_of
    from leakscan.report.html.source_links import checked_template
    from leakscan.report.share.redaction import redacted

    ending = output.suffix.lower()
    if ending not in (".html", ".htm", ".md"):
        raise UsageError(
            f"cannot tell from {output.name!r} what to write", hint="end the file's name with .html or .md"
        )
    address = checked_template(source_url) if source_url else ""
    level = level_of(redact)
    is_page = ending != ".md"
    if is_page:
        capsule = capsule_of(snapshots, type_name=type_name, with_paths=False)
    else:
        capsule = only_findings(analysed_one(snapshots, type_name=type_name))
    if len(capsule.findings) > 1:
        analysed_one(snapshots)  # says which modes there are
    left_out = capsule.cut_out if capsule_at(snapshots) is not None else ()
    # Patterns and findings at once, so that the same name is replaced by the same word in both.
    capsule = redacted(capsule, level)
    found = capsule.findings[0]
    findings = replace(found, omitted=tuple(dict.fromkeys((*found.omitted, *left_out))))
    if is_page:
        _write(output, html_report(findings, switches=switches_of(capsule), source_url=address))
    else:
        _write_markdown(findings, output)


def _write_markdown(findings: Findings, output: Path) -> None:
    from leakscan.report.share.markdown import markdown_report

    _write(output, markdown_report(findings))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise LeakscanError(f"cannot write {path}: {error.strerror}") from error
