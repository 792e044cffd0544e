"""What one snapshot's memory hangs on, as text: by object as a tree, or by type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leakscan.analysis.objects.views import ObjectView
from leakscan.analysis.top import Dominator, Top
from leakscan.report.text.inspect import object_lines
from leakscan.report.text.lines import Line, Span, line, shortened, wrapped
from leakscan.report.text.tables import Column, table
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, size_text, visible

_SHORTEST_WHAT: Final = 24
_KEY: Final = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class _View:
    width: int
    limit: int


def top_objects_text(top: Top, screen: Screen, *, limit: int) -> list[Line]:
    """The biggest dominators and what is below them: freeing one frees all that it retains.

    `limit` is the most rows on each level; below rows of several objects stands what the biggest holds.
    """
    if top.expanded is not None:
        return [*_totals(top, screen.width), line(), *_nothing_below(top.expanded, top, screen)]
    title = line(Span(f"{'retained':>8}  {'share':>5}  {'objects':>9}  what would be freed with", "faint"))
    view = _View(screen.width, limit)
    rows = _level(top.objects, top.others, top.others_bytes, top, view, above="", depth=0)
    return [*_totals(top, screen.width), line(), title, *rows]


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
        text += f"; {size_text(top.garbage_bytes)} more wait for the garbage collector"
    lines = wrapped(text, width, style="title")
    if top.meant:
        first, *others = [f"#{number}" for number in top.meant]
        rest = f"{', '.join(others[:3])}{' and more' if len(others) > 3 else ''}"
        lines += wrapped(
            f"Several objects are called so: {first}, the biggest, is told here, not {rest}.", width
        )
    return lines


def _nothing_below(view: ObjectView, top: Top, screen: Screen) -> list[Line]:
    if view.field_count and top.also_held_by:
        slots = ", ".join(visible(slot) for slot, _ in top.also_held_by)
        text = f"Nothing would be freed with it but itself: what it leads to is also held by {slots}."
    elif view.field_count:
        text = "Nothing would be freed with it but itself: what it leads to lives for ever."
    else:
        text = "Nothing is below it: it leads to no other object."
    return [*wrapped(text, screen.width, style="title"), line(), *object_lines(view, screen)]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Siblings that read the same, biggest first: a thousand equal objects are one row."""

    nodes: tuple[Dominator, ...]

    @property
    def retained_bytes(self) -> int:
        return sum(node.retained_bytes for node in self.nodes)

    @property
    def retained_count(self) -> int:
        return sum(node.retained_count for node in self.nodes)


def _level(
    nodes: tuple[Dominator, ...],
    others: int,
    others_bytes: int,
    top: Top,
    view: _View,
    *,
    above: str,
    depth: int,
) -> list[Line]:
    """The rows of one level of the tree, each with the rows below it. `above` is the label they are below."""
    groups: dict[str, list[Dominator]] = {}
    for node in nodes:
        groups.setdefault(_what(node, above), []).append(node)
    rows = [(what, _Alike(tuple(members))) for what, members in groups.items()]
    rows.sort(key=lambda row: (-row[1].retained_bytes, row[0]))
    lines: list[Line] = []
    for what, alike in rows[: view.limit]:
        count = len(alike.nodes)
        text = f"{count_text(count)} x {what}" if count > 1 else what
        lines.append(_row(alike.retained_bytes, alike.retained_count, text, top, view.width, depth=depth))
        # As deep as the caller asked the analysis to go, never as deep as the heap.
        first = alike.nodes[0]
        if first.children:
            lines += _level(
                first.children,
                first.others,
                first.others_bytes,
                top,
                view,
                above=first.label,
                depth=depth + 1,
            )
    rest = [alike for _, alike in rows[view.limit :]]
    left_out = others + sum(len(alike.nodes) for alike in rest)
    if left_out:
        size = others_bytes + sum(alike.retained_bytes for alike in rest)
        text = f"... {count_text(left_out)} more: --limit shows them"
        lines.append(_row(size, None, text, top, view.width, depth=depth))
    return lines


def _what(node: Dominator, above: str) -> str:
    """`Workflow._runs: dict`; below `Workflow` just `._runs: dict`."""
    what, name = visible(node.type_name), visible(node.name)
    label = node.label
    if above and label.startswith(above):
        label = label[len(above) :].lstrip()
    label = _KEY.sub("[*]", visible(label))
    if label and label not in (what, what.rpartition(".")[2]):
        what = f"{label}: {what}"
    return f"{what} {name}" if name and name not in what else what


def _row(size: int, count: int | None, what: str, top: Top, width: int, *, depth: int) -> Line:
    counted = "" if count is None else count_text(count)
    start = f"{size_text(size):>8}  {_share(size, top):>5}  {counted:>9}  "
    lead = "   " * (depth - 1) + "`- " if depth else ""
    room = max(width - len(start) - len(lead), _SHORTEST_WHAT)
    style = "" if depth else "title"
    return line(start, lead, Span(shortened(what, room), style))


def _share(size: int, top: Top) -> str:
    return f"{100 * size / top.total_bytes:.0f} %" if top.total_bytes else "-"
