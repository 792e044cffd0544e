"""What one snapshot's memory hangs on, as text: by object as a tree, or by type."""

from __future__ import annotations

from leakscan.analysis.top import Dominator, Top
from leakscan.analysis.wording import count_text, size_text, visible
from leakscan.report.lines import Line, Span, line, shortened, wrapped
from leakscan.report.tables import Column, table
from leakscan.report.terminal import Screen

_SHORTEST_WHAT = 24


def top_objects_text(top: Top, screen: Screen) -> list[Line]:
    """The biggest dominators and what is below them: freeing one frees all that it retains."""
    title = line(Span(f"{'retained':>8}  {'share':>5}  {'objects':>9}  what would be freed with", "faint"))
    rows = _nodes(top.objects, top, screen.width, depth=0)
    return [
        *_totals(top, screen.width),
        line(),
        title,
        *rows,
        *_others(top.others, top.others_bytes, top, screen.width, depth=0),
    ]


def top_types_text(top: Top, screen: Screen, *, limit: int) -> list[Line]:
    """Types by what would be freed with all their objects together; `limit` 0 shows all measured."""
    columns = [
        Column("type", is_number=False),
        Column("objects"),
        Column("shallow"),
        Column("retained"),
        Column("share"),
    ]
    shown = top.types[: limit or None]
    rows = [
        [
            visible(row.type_name),
            count_text(row.count),
            size_text(row.shallow_bytes),
            size_text(row.retained_bytes),
            _share(row.retained_bytes, top),
        ]
        for row in shown
    ]
    lines = [*_totals(top, screen.width), line(), *table(columns, rows, width=screen.width)]
    if len(shown) < len(top.types):
        more = len(top.types) - len(shown)
        lines.append(line(Span(f"{count_text(more)} more measured types: --limit 0 shows all", "faint")))
    if top.types_omitted:
        at_most = size_text(top.types_omitted_bytes_at_most)
        text = f"{count_text(top.types_omitted)} more types, none of which retains more than {at_most}"
        lines += wrapped(text, screen.width, indent="  ", style="faint")
    text = "Types share what they retain, so this column does not add up to the whole."
    return [*lines, *wrapped(text, screen.width, style="faint")]


def _totals(top: Top, width: int) -> list[Line]:
    text = f"{size_text(top.total_bytes)} in {count_text(top.total_count)} live objects"
    if top.garbage_count:
        objects = f"{count_text(top.garbage_count)} objects ({size_text(top.garbage_bytes)})"
        text += f"; {objects} wait for the garbage collector"
    return wrapped(text, width, style="title")


def _nodes(nodes: tuple[Dominator, ...], top: Top, width: int, *, depth: int) -> list[Line]:
    lines: list[Line] = []
    # As deep as the caller asked the analysis to go, never as deep as the heap.
    for node in nodes:
        lines += _node(node, top, width, depth=depth)
        lines += _nodes(node.children, top, width, depth=depth + 1)
        if node.children:
            lines += _others(node.others, node.others_bytes, top, width, depth=depth + 1)
    return lines


def _node(node: Dominator, top: Top, width: int, *, depth: int) -> list[Line]:
    name = visible(node.name)
    what = visible(node.type_name)
    label = visible(node.label)
    if label != what:
        what = f"{label}: {what}"
    if name and name not in label:
        what += f" {name}"
    return [_row(node.retained_bytes, node.retained_count, what, top, width, depth=depth)]


def _others(count: int, size: int, top: Top, width: int, *, depth: int) -> list[Line]:
    if not count:
        return []
    return [_row(size, count, f"... {count_text(count)} more: --limit shows them", top, width, depth=depth)]


def _row(size: int, count: int, what: str, top: Top, width: int, *, depth: int) -> Line:
    start = f"{size_text(size):>8}  {_share(size, top):>5}  {count_text(count):>9}  "
    lead = "   " * (depth - 1) + "`- " if depth else ""
    room = max(width - len(start) - len(lead), _SHORTEST_WHAT)
    style = "" if depth else "title"
    return line(start, lead, Span(shortened(what, room), style))


def _share(size: int, top: Top) -> str:
    return f"{100 * size / top.total_bytes:.0f} %" if top.total_bytes else "-"
