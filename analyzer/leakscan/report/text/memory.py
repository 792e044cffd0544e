"""The memory ledger as text: one sentence when the objects are the growth, a table when something else is."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.headline import row_names
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.analysis.results.memory import MemoryLedger, MemoryRow, NativeSite
from leakscan.report.text.lines import Line, Span, line, wrapped
from leakscan.wording import count_text, size_text, visible

_LEAD: Final = "memory    "
_INDENT: Final = " " * len(_LEAD)
_TOLD: Final = 0.1
"""Rows of less than this part of the growth are added up as the rest."""
_LEAST_TOLD: Final = 1_000_000
_SHOWN: Final = 0.01
_LEAST_SHOWN: Final = 50_000
_SITES: Final = 5
_NATIVE_FRAMES: Final = 2
_PYTHON_FRAMES: Final = 3


def memory_lines(findings: Findings, width: int) -> list[Line]:
    """Nothing when the memory was not measured."""
    if len(findings.per_run) < 2:
        return []
    memory = findings.memory
    if memory is not None and needs_table(findings):
        return _table(memory, width, findings.unit)
    first, last = findings.per_run[0], findings.per_run[-1]
    # Files that somebody else wrote do not say what the process took.
    rss = f", RSS {size_text(first.rss_bytes)} -> {size_text(last.rss_bytes)}" if last.rss_bytes else ""
    text = (
        f"objects {size_text(first.object_bytes)} -> {size_text(last.object_bytes)}"
        f"{rss} in {_rounds(last.run - first.run, findings.unit)}"
    )
    if memory is not None and memory.delta >= _LEAST_TOLD:
        text += f"; of {signed(memory.delta)}: {_parts(memory)}"
    return wrapped(text, width, first=_LEAD, indent=_INDENT)


def needs_table(findings: Findings) -> bool:
    """True when memory outside of the heap is part of the answer."""
    memory = findings.memory
    if memory is None:
        return False
    is_answer = findings.verdict in (Verdict.NATIVE, Verdict.SLACK) or bool(memory.sites)
    return is_answer or memory.trimmed_bytes is not None or any(kind != "objects" for kind in memory.causes)


def shown_rows(memory: MemoryLedger) -> tuple[list[MemoryRow], int]:
    """The rows worth a line, and what all others changed by together."""
    least = max(_LEAST_SHOWN, _SHOWN * abs(memory.delta))
    shown = [row for row in memory.rows if row.goes_on or abs(row.delta) >= least]
    return shown, sum(row.delta for row in memory.rows if row not in shown)


def signed(size_bytes: int | float) -> str:
    return f"{'+' if size_bytes >= 0 else '-'}{size_text(abs(size_bytes))}"


def after_trim(memory: MemoryLedger) -> str:
    """What came of `--trim-probe`, "" without it."""
    if memory.trimmed_bytes is None:
        return ""
    if memory.trimmed_bytes < _LEAST_SHOWN:
        return "malloc_trim(0) gave nothing back"
    return f"malloc_trim(0) gave {size_text(memory.trimmed_bytes)} back"


def _parts(memory: MemoryLedger) -> str:
    told = [row for row in memory.rows if row.delta >= _TOLD * memory.delta]
    told.sort(key=lambda row: (-row.delta, row.kind))
    rest = memory.delta - sum(row.delta for row in told)
    names = [f"{row_names(memory)[row.kind]} {signed(row.delta)}" for row in told]
    return ", ".join([*names, f"all else {signed(rest)}"])


def _rounds(count: int, unit: str) -> str:
    return f"{count_text(count)} {unit}" if count == 1 else f"{count_text(count)} {unit}s"


def _table(memory: MemoryLedger, width: int, unit: str) -> list[Line]:
    shown, rest = shown_rows(memory)
    names = [row_names(memory)[row.kind] for row in shown]
    longest = max(len(name) for name in (*names, "asked for, not written to"))
    titles = f"{'memory':<{longest}}  {'before':>8}  {'after':>8}  {'growth':>9}  {'/' + unit:>9}"
    lines = [line(Span(titles, "title"))]
    for name, row in zip(names, shown, strict=True):
        mark = "  goes on" if row.goes_on else ""
        style = "bad" if row.goes_on and row.kind != "objects" else ""
        lines.append(line(Span(_row(name, longest, row, size_text(row.per_run)) + mark, style)))
    lines.append(line(f"{'all others':<{longest}}  {'':>8}  {'':>8}  {signed(rest):>9}"))
    residue = "residue" if memory.residue_bytes >= 0 else "asked for, not written to"
    lines.append(line(f"{residue:<{longest}}  {'':>8}  {'':>8}  {signed(memory.residue_bytes):>9}"))
    whole = MemoryRow("", memory.bytes_before, memory.bytes_after, 0.0, False)
    lines.append(line(_row("RSS and swap", longest, whole, size_text(memory.delta / max(1, memory.runs)))))
    for text in (*memory.advice, after_trim(memory)):
        lines += wrapped(visible(text), width, first="  ", indent="    ") if text else []
    return lines + _sites(memory, width)


def site_text(memory: MemoryLedger, site: NativeSite) -> str:
    """`4.19 MB in 8 blocks, 524 kB per run: timer_arm (results.c:42) < serve (server.py:63)`."""
    blocks = "1 block" if site.blocks == 1 else f"{count_text(site.blocks)} blocks"
    owner = f", {site.owner}" if site.owner else ""
    frames = [f"{function}{_place(file, line)}" for function, file, line in _telling(site)]
    return (
        f"{size_text(site.bytes)} in {blocks}, {size_text(site.bytes / max(1, memory.runs))} per run{owner}:"
        f" {' < '.join(frames) or 'from a library without symbols'}"
    )


def told_sites(memory: MemoryLedger) -> list[NativeSite]:
    """The sites that matter: nobody's first, then those whose memory belongs to objects."""
    least = _SHOWN * sum(site.bytes for site in memory.sites)
    told = [site for site in memory.sites if site.bytes >= least]
    told.sort(key=lambda site: (site.owner == "objects", -site.bytes))
    return told[:_SITES]


def _sites(memory: MemoryLedger, width: int) -> list[Line]:
    if not memory.sites:
        return []
    lines = [line(Span("allocated in the runs and not freed, by stack (traced by memray)", "title"))]
    told = told_sites(memory)
    for site in told:
        lines += wrapped(visible(site_text(memory, site)), width, first="  ", indent="    ")
    if len(told) < len(memory.sites):
        rest = sum(site.bytes for site in memory.sites) - sum(site.bytes for site in told)
        count = len(memory.sites) - len(told)
        more = "1 more stack" if count == 1 else f"{count_text(count)} more stacks"
        lines.append(line(f"  {more}: {size_text(rest)}, in --json"))
    return lines


def _telling(site: NativeSite) -> list[tuple[str, str, int]]:
    """The innermost native frames, and the Python ones they were called from."""
    first = next((n for n, frame in enumerate(site.stack) if frame[1].endswith(".py")), len(site.stack))
    return [*site.stack[: min(first, _NATIVE_FRAMES)], *site.stack[first : first + _PYTHON_FRAMES]]


def _place(file: str, number: int) -> str:
    return f" ({file.rpartition('/')[2]}:{number})" if number else ""


def _row(name: str, longest: int, row: MemoryRow, per_run: str) -> str:
    before, after = size_text(row.bytes_before), size_text(row.bytes_after)
    return f"{name:<{longest}}  {before:>8}  {after:>8}  {signed(row.delta):>9}  {per_run:>9}"
