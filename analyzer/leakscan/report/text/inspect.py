"""One object as text: what it is, what it holds, what holds it, and every way that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.analysis.objects.known_as import slot_text
from leakscan.analysis.objects.views import Inspection, Listed, Named, ObjectView, Reference
from leakscan.report.names import TypeNames, place, short_names
from leakscan.report.text.lines import Line, Span, line, shortened, wrapped
from leakscan.report.text.tables import Column, table
from leakscan.report.text.terminal import Screen
from leakscan.report.text.tree import path_tree
from leakscan.wording import count_text, size_text, visible

_LISTED: Final = 10
_CHAIN: Final = 12
_KIND_WIDTH: Final = 30
_UNUSED: Final = "unused: its scope is kept, and no function that is left has its name in it"
_BESIDE: Final = 70
"""Columns that the rest of a row usually takes."""


def inspect_text(found: Inspection, screen: Screen, *, all_paths: bool) -> list[Line]:
    """When several objects are meant, first a table of them; then the one that retains most."""
    listed = found.listed
    names = short_names({*_types(found.view), *(each.type_name for each in listed.objects)})
    lines = _several(listed, names, screen.width) if listed.count > 1 else []
    return lines + object_lines(found.view, screen, names=names, all_paths=all_paths)


def object_lines(
    view: ObjectView, screen: Screen, *, names: TypeNames | None = None, all_paths: bool = False
) -> list[Line]:
    """All that is told of one object."""
    names, width = names or short_names(_types(view)), screen.width
    lines = _title(view, names, width)
    lines += _facts(view, width)
    lines += _references("fields", view.fields, view.field_count, names, width)
    lines += _references("held by", view.holders, view.holder_count, names, width)
    lines += _chain(view, names, width)
    return lines + _paths(view, names, width, all_paths=all_paths)


def _types(view: ObjectView) -> set[str]:
    others = [each.other for each in (*view.fields, *view.holders)]
    named = [view.this, *others, *view.dominators, *view.dominated]
    steps = (step.type_name for path in view.paths for step in path.steps)
    return {*(each.type_name for each in named), *steps}


def _several(listed: Listed, names: TypeNames, width: int) -> list[Line]:
    text = f"{count_text(listed.count)} objects, {size_text(listed.shallow_bytes)}; the biggest is told below"
    lines = wrapped(text, width, style="title")
    columns = [Column("known as", is_number=False), Column("object"), Column("type", is_number=False)]
    shown = listed.objects[:_LISTED]
    rows = [
        [visible(each.label), f"#{each.object}", _kind(each, names, width), size_text(each.retained_bytes)]
        for each in shown
    ]
    lines += table([*columns, Column("retained")], rows, width=width)
    if listed.count > len(shown):
        more = f"{count_text(listed.count - len(shown))} more: `#NUMBER` tells of one"
        lines.append(line(Span(more, "faint")))
    return [*lines, line()]


def _kind(each: Named, names: TypeNames, width: int) -> str:
    kind = names.short(each.type_name) + (f" {visible(each.name)}" if each.name else "")
    return shortened(kind, max(_KIND_WIDTH, width - _BESIDE))


def _title(view: ObjectView, names: TypeNames, width: int) -> list[Line]:
    this = view.this
    lead = f"#{this.object}   "
    size = size_text(this.retained_bytes)
    room = width - len(lead) - len(size) - 2
    subject = shortened(names.short(this.type_name) + (f" {visible(this.name)}" if this.name else ""), room)
    lines = [line(Span(lead, "faint"), Span(subject, "title"), " " * (room - len(subject) + 2), size)]
    return [*lines, *wrapped(visible(this.label), width, first="  known as  ", indent=" " * 12, style="mark")]


def _facts(view: ObjectView, width: int) -> list[Line]:
    this, kept = view.this, view.retained_count - 1
    facts = [f"type {visible(this.type_name)}", f"{size_text(this.shallow_bytes)} itself"]
    if kept > 0:
        rest = (
            "1 object that only it keeps" if kept == 1 else f"{count_text(kept)} objects that only it keeps"
        )
        facts[-1] += f", {size_text(this.retained_bytes)} with {rest}"
    if view.birth_note != "not recorded":
        facts.append(f"born {view.birth_note}")
    if view.refcount is not None:
        counted = (
            "1 counted reference" if view.refcount == 1 else f"{count_text(view.refcount)} counted references"
        )
        facts.append(counted)
    facts += ["has a finalizer"] if view.has_finalizer else []
    facts += [] if view.is_live else ["nothing holds it: it waits for the garbage collector"]
    facts += [f"a root, {visible(root)}, holds it" for root in view.roots]
    facts += [place(view.file, view.line)] if view.file else []
    facts += [f"made at {visible(view.site)}"] if view.site else []
    return wrapped("; ".join(fact for fact in facts if fact), width, first="  ", indent="  ")


def _references(
    title: str, shown: Sequence[Reference], count: int, names: TypeNames, width: int
) -> list[Line]:
    is_field = title == "fields"
    if not count:
        nothing = "holds nothing that has a name" if is_field else "held by no object"
        return [line(), line("  ", Span(nothing, "faint"))]
    columns = [
        Column(title, is_number=False),
        Column("type", is_number=False),
        Column("object"),
        Column("retained"),
        Column("", is_number=False),
    ]
    rows = []
    for each in shown:
        notes = ["weak" if each.is_weak else "only here" if each.is_only else ""]
        notes += ["unused"] if each.is_unused else []
        note = ", ".join(filter(None, notes))
        text = visible(each.text) if is_field else visible(holder_text(each))
        other = each.other
        rows.append(
            [text, _kind(other, names, width), f"#{other.object}", size_text(other.retained_bytes), note]
        )
    lines = [line(), *((Span("  "), *row) for row in table(columns, rows, width=width - 2))]
    if any(each.is_unused for each in shown):
        lines += wrapped(_UNUSED, width, first="  ", indent="  ", style="faint")
    if count > len(shown):
        rest = (
            f"{count_text(count - len(shown))} more {'fields' if is_field else 'holders'}: --limit shows more"
        )
        lines.append(line("  ", Span(rest, "faint")))
    return lines


def holder_text(each: Reference) -> str:
    """The slot of a holder that leads here: `Workflow._runs['run-1']`."""
    return slot_text(each.other.label, each.text)


def _chain(view: ObjectView, names: TypeNames, width: int) -> list[Line]:
    """What each alone keeps it alive, from the outermost inwards."""
    if not view.dominators:
        return []
    shown = view.dominators[:_CHAIN]
    parts = [
        f"{visible(each.label)} ({names.short(each.type_name)}, {size_text(each.retained_bytes)})"
        for each in reversed(shown)
    ]
    if len(view.dominators) > len(shown):
        parts.insert(0, f"{count_text(len(view.dominators) - len(shown))} more")
    return [line(), *wrapped(" > ".join(parts), width, first="  goes with  ", indent=" " * 13)]


def _paths(view: ObjectView, names: TypeNames, width: int, *, all_paths: bool) -> list[Line]:
    if not view.paths:
        return []
    ways = "one way to it" if len(view.paths) == 1 else f"{len(view.paths)} ways to it"
    lines = [line(), line("  ", Span(ways, "faint"))]
    for path in view.paths:
        lines += path_tree(path, names, width=width, indent=4, cut_steps=frozenset(), show_all=all_paths)
    if view.paths_omitted:
        more = f"at least {count_text(view.paths_omitted)} more: its holders lead to them"
        lines.append(line("    ", Span(more, "faint")))
    return lines
