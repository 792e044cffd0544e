"""Which line wrote the references, told once for each place."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leakscan.analysis.results.findings import Leak, Writer
from leakscan.report.names import place
from leakscan.report.text.lines import Line, Span, line, row_lines
from leakscan.wording import count_text, visible

_WRITERS_SHOWN: Final = 5


def writers_shown(leak: Leak) -> tuple[list[Writer], int]:
    """The places of the stores, and how many more there are; what several tasks wrote on one line is one."""
    by_place: dict[tuple[object, ...], Writer] = {}
    for writer in leak.written_by:
        key = (writer.pattern, writer.file, writer.line, writer.caller_file, writer.caller_line)
        known = by_place.get(key)
        by_place[key] = replace(writer, count=writer.count + (known.count if known else 0), task="")
    rows = list(by_place.values())
    return rows[:_WRITERS_SHOWN], max(0, len(rows) - _WRITERS_SHOWN)


def slot_written(leak: Leak, writer: Writer) -> str:
    """The slot that the line fills; "" for the holder's own, which is told with the holder."""
    return "" if not leak.slots or writer.pattern == leak.slots[0] else writer.pattern


def written_lines(leak: Leak, *, indent: str, width: int) -> list[Line]:
    """`written by  streamlab/workflow.py:41  Workflow.start_run  (20 of 20)`, one line for each place.

    In Node `made in`: the function in which the entry was made.
    """
    lines: list[Line] = []
    shown, more = writers_shown(leak)
    for number, writer in enumerate(shown):
        what = "made in     " if writer.made else "written by  "
        lead = Span(what if number == 0 else " " * len(what), "faint")
        by = f" from {place(writer.caller_file, writer.caller_line)}" if writer.caller_file else ""
        share = f"  {visible(writer.function)}{by}  ({count_text(writer.count)} of {count_text(writer.of)})"
        slot = slot_written(leak, writer)
        into = f" into {visible(slot)}" if slot else ""
        where = Span(place(writer.file, writer.line))
        lines += row_lines(lead, where, share + into, "", indent=indent, width=width)
    if more:
        text = f"{count_text(more)} more places: --json has all"
        lines.append(line(indent, " " * 12, Span(text, "faint")))
    return lines
