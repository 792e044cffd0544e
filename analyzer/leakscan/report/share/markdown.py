"""Findings as a bug report in Markdown: for a reader who has never heard of leakscan."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from leakscan.analysis.headline import row_names
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.report.names import type_names
from leakscan.report.pictures.mermaid import findings_mermaid
from leakscan.report.reproduce import commands, measured
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain
from leakscan.report.text.memory import after_trim, needs_table, shown_rows, signed, site_text, told_sites
from leakscan.report.text.never import stuck_lines
from leakscan.report.text.tables import births_line, runs_per_column
from leakscan.report.text.terminal import Screen
from leakscan.report.text.works import NAMELESS
from leakscan.wording import count_text, rate_text, size_text, visible

LONGEST: Final = 60_000
"""Characters: issue trackers refuse a body of 65 536."""
_LIMITS: Final = (10, 5, 3, 1)
_TYPES_SHOWN: Final = 10
_WORKS_SHOWN: Final = 20
_LEAKS_DRAWN: Final = 5
_LONGEST_PICTURE: Final = 20_000
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+!|~@&$]|:(?=//)|(?<=www)\.)")
_WORDS: Final = """\
A *survivor* is an object made during the runs that is still alive after the last one. The *holder* is the
old object whose references to new ones grow in number. A *cut* is the smallest set of references whose
removal would free the survivors. *Retained* are the bytes that would be freed with them.
"""


def markdown_report(findings: Findings) -> str:
    """A bug report of at most LONGEST characters, with the graph as a Mermaid block in it.

    What does not fit is left out leak by leak, the smallest first, and counted.
    """
    for limit in _LIMITS:
        text = _report(findings, limit)
        if len(text) <= LONGEST:
            return text
    # One leak alone can only be this long through the number or the length of its names.
    return text[: LONGEST - 100] + "\n```\n\nCut off here: an issue tracker takes no more.\n"


def _report(findings: Findings, limit: int) -> str:
    parts = [
        f"**{escaped(findings.headline)}**\n",
        _what_to_do(findings),
        _picture(findings, limit),
        "### What keeps them alive\n\n" + _paths(findings, limit) if findings.leaks else "",
        _stuck(findings),
        _works(findings),
        _types(findings),
        _memory(findings),
        _missing(findings),
        f"### To reproduce\n\n{_fenced(commands(findings), 'sh')}\n{escaped(measured(findings))}\n",
        f"<details><summary>What the words mean</summary>\n\n{_WORDS}\n</details>\n",
    ]
    return "\n".join(part for part in parts if part)


def _what_to_do(findings: Findings) -> str:
    rows = []
    for leak in findings.leaks[:3]:
        if leak.holder is not None:
            at = f", {code(f'{leak.holder.file}:{leak.holder.line}')}" if leak.holder.file else ""
            what = f"{count_text(leak.count)} {code(leak.name or leak.type_name)}"
            rows.append(f"- {what} held by {code(leak.holder.label)}{at}")
        if leak.cut is not None and leak.cut.members:
            patterns = " and ".join(code(member.pattern) for member in leak.cut.members)
            rows.append(
                f"  - removing {patterns} frees {count_text(leak.cut.frees)} of {count_text(leak.cut.of)}"
                f" ({size_text(leak.cut.frees_bytes)})"
            )
    if findings.proof:
        rows.append(f"- {escaped(findings.proof)}")
    return "\n".join(rows) + "\n" if rows else ""


def _picture(findings: Findings, limit: int) -> str:
    chart = findings_mermaid(findings, limit=min(limit, _LEAKS_DRAWN))
    return _fenced(chart, "mermaid") if chart and len(chart) <= _LONGEST_PICTURE else ""


def _paths(findings: Findings, limit: int) -> str:
    # The text report is made to be read in a fixed-width block; only its leaks are wanted here.
    only_leaks = replace(
        findings,
        growth=(),
        noise=(),
        cycles=(),
        garbage_count=0,
        per_run=(),
        projections=(),
        warnings=(),
        omitted=(),
    )
    lines = plain(findings_text(only_leaks, TextOptions(limit=limit, screen=Screen(100))))
    return _fenced(lines.rstrip(), "text")


def _stuck(findings: Findings) -> str:
    """Who can never wake, where no leak says it."""
    if findings.leaks or not (lines := plain(stuck_lines(findings, 100, limit=10))):
        return ""
    return f"### What can never wake\n\n{_fenced(lines.rstrip(), 'text')}"


def _works(findings: Findings) -> str:
    """What each kind of work left, where the program names works."""
    if not findings.works:
        return ""
    rows = [
        "### Whose requests\n",
        "| work | requests | objects left | bytes left | bytes per request |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {code(share.name, in_table=True) if share.name else NAMELESS} | {count_text(share.begun)} |"
            f" {count_text(share.objects)} | {size_text(share.bytes)} |"
            f" {size_text(share.bytes / share.begun) if share.begun else ''} |"
            for share in findings.works[:_WORKS_SHOWN]
        ),
    ]
    if len(findings.works) > _WORKS_SHOWN:
        rows.append(f"\n{count_text(len(findings.works) - _WORKS_SHOWN)} more kinds of work.")
    return "\n".join(rows) + "\n"


def _types(findings: Findings) -> str:
    if not findings.growth:
        return ""
    bin_size, unit = runs_per_column(findings.runs), findings.unit
    rows = [
        "### Types by growth\n",
        f"| type | before | after | per {unit} | births, {unit} by {unit} | retained | verdict |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    for row in findings.growth[:_TYPES_SHOWN]:
        marks = births_line(row.births, bin_size=bin_size)
        retained = "" if row.retained_bytes is None else size_text(row.retained_bytes)
        rows.append(
            f"| {code(row.type_name, in_table=True)} | {count_text(row.count_before)} |"
            f" {count_text(row.count_after)} | {rate_text(row.per_run)} | {f'`{marks}`' if marks else ''} |"
            f" {retained} | {row.verdict.value} |"
        )
    if len(findings.growth) > _TYPES_SHOWN:
        rows.append(f"\n{count_text(len(findings.growth) - _TYPES_SHOWN)} more types grew.")
    return "\n".join(rows) + "\n"


def _memory(findings: Findings) -> str:
    """The memory ledger, where memory outside of the heap is part of the answer."""
    memory = findings.memory
    if memory is None or not needs_table(findings):
        return ""
    shown, rest = shown_rows(memory)
    names = row_names(memory)
    rows = [
        "### Memory of the process\n",
        "| what | before | after | growth | per run | |",
        "|---|---:|---:|---:|---:|---|",
        *(
            f"| {names[row.kind]} | {size_text(row.bytes_before)} | {size_text(row.bytes_after)} |"
            f" {signed(row.delta)} | {size_text(row.per_run)} | {'goes on' if row.goes_on else ''} |"
            for row in shown
        ),
        f"| all others | | | {signed(rest)} | | |",
        f"| residue | | | {signed(memory.residue_bytes)} | | |",
        f"| RSS and swap | {size_text(memory.bytes_before)} | {size_text(memory.bytes_after)} |"
        f" {signed(memory.delta)} | | |\n",
        *(f"- {escaped(text)}" for text in (*memory.advice, after_trim(memory)) if text),
        *(f"- not freed: {escaped(site_text(memory, site))}" for site in told_sites(memory)),
    ]
    return "\n".join(rows) + "\n"


def _missing(findings: Findings) -> str:
    noise = [leak for leak in findings.noise if leak.verdict is not Verdict.CLEAN]
    rows = [f"- {escaped(text)}" for text in (*findings.warnings, *findings.omitted)]
    if noise:
        names = type_names(findings)
        kinds = ", ".join(f"{count_text(leak.count)} {names.leak(leak)}" for leak in noise[:5])
        rest = f" and {len(noise) - 5} more kinds" if len(noise) > 5 else ""
        rows.append(f"- not counted, because libraries keep them: {escaped(kinds)}{rest}")
    return "### What is missing here\n\n" + "\n".join(rows) + "\n" if rows else ""


def escaped(text: str) -> str:
    """`text` as Markdown that shows it as it is: no markup, no HTML, no mention, no link."""
    shown = visible(text).replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", shown).replace("\\&lt;", "&lt;").replace("\\&gt;", "&gt;")


def code(text: str, *, in_table: bool = False) -> str:
    """`text` as a code span, fenced by more backticks than it holds."""
    shown = visible(text)
    if in_table:
        shown = shown.replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"
