"""One leak as text: what holds it, what to cut, and its paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leakscan.analysis.results.findings import Cut, CutMember, Holder, Leak, Path, Verdict
from leakscan.report.cuts import cut_steps
from leakscan.report.names import TypeNames, path_sentence, place
from leakscan.report.text.lines import (
    Line,
    Span,
    line,
    row_lines,
    shortened,
    shortened_place,
    shortest_place,
    wrapped,
)
from leakscan.report.text.tables import births_line, runs_per_column
from leakscan.report.text.tree import path_tree
from leakscan.report.text.works import works_of_leak
from leakscan.report.text.written import written_lines
from leakscan.wording import count_text, size_text, visible

_UNCOLLECTED = (
    "The collector cannot look into such an object, so it never frees what is in a cycle with it: break the "
    "cycle by hand, or give the type tp_traverse and tp_clear."
)
_CONTENTS_SHOWN = 4
_SITES_SHOWN = 3
_HOLDERS_SHOWN = 3


def cut_lines(leak: Leak, *, indent: str, width: int, says_held_from_c: bool = True) -> list[Line]:
    """`Held by ...` and `To free all ..., cut ...`: the two lines that people act on."""
    lines: list[Line] = []
    if leak.holder is not None:
        lines += row_lines(
            Span("Held by  ", "faint"),
            Span(visible(leak.holder.label), "mark"),
            f"  ({growth_of(leak)})",
            place(leak.holder.file, leak.holder.line),
            indent=indent,
            width=width,
        )
        lines += written_lines(leak, indent=indent, width=width)
    elif leak.path.root_kind == "held_from_c" and says_held_from_c:
        lines.append(
            line(indent, Span("Held from C: an extension keeps a reference it never drops.", "mark"))
        )
    elif leak.path.root_kind == "uncollected_cycle":
        lines += wrapped(_UNCOLLECTED, width, first=indent, indent=indent, style="mark")
    if leak.cut is not None and leak.cut.members:
        what = "it" if leak.cut.of == 1 else f"all {count_text(leak.cut.of)}"
        lines += set_to_cut(leak.cut, what, leak.holder, indent=indent, width=width)
    if leak.in_use:
        lines += wrapped(in_use_text(leak), width, first=indent, indent=indent + "  ", style="faint")
    return lines


def in_use_text(leak: Leak) -> str:
    """`1 of them is in use: worker local 'job' holds it as well, and lets go by itself`; "" when none is."""
    if not leak.in_use:
        return ""
    shown = ", ".join(visible(pattern) for pattern in leak.in_use_by[:_HOLDERS_SHOWN])
    more = len(leak.in_use_by) - _HOLDERS_SHOWN
    others = f" and {count_text(more)} more" if more > 0 else ""
    is_one, holds_one = leak.in_use == 1, len(leak.in_use_by) == 1
    return (
        f"{count_text(leak.in_use)} of them {'is' if is_one else 'are'} in use: {shown}{others} "
        f"{'holds' if holds_one else 'hold'} {'it' if is_one else 'them'} as well, and "
        f"{'lets' if holds_one else 'let'} go by {'itself' if holds_one else 'themselves'}"
    )


def growth_of(leak: Leak) -> str:
    """`dict, grew 0 -> 20, bound 128`: of the leak's holder, "" when it has none."""
    holder = leak.holder
    if holder is None:
        return ""
    if leak.growth_bytes:
        return f"{visible(holder.type_name.rpartition('.')[2])}, one object that grows"
    if holder.entries_before is None:
        # No container, but a slot of one name: nothing was counted in it before.
        grew = (
            "1 reference" if holder.entries_after == 1 else f"{count_text(holder.entries_after)} references"
        )
    else:
        grew = f"grew {count_text(holder.entries_before)} -> {count_text(holder.entries_after)}"
    bound = "" if holder.bound is None else f", bound {count_text(holder.bound)}"
    return f"{visible(holder.type_name.rpartition('.')[2])}, {grew}{bound}"


def set_to_cut(cut: Cut, everything: str, holder: Holder | None, *, indent: str, width: int) -> list[Line]:
    """The members of a cut, what they free alone and together; `everything` is all there is to free."""
    share = everything if cut.frees == cut.of else f"{count_text(cut.frees)} of {count_text(cut.of)}"
    if len(cut.members) == 1:
        member = cut.members[0]
        lead = Span(f"To free {share}, cut  ", "faint")
        text = f"  ({size_text(cut.frees_bytes)}{_price(member)})"
        where = "" if _is_at(member, holder) else place(member.file, member.line)
        lines = row_lines(lead, Span(visible(member.pattern), "bad"), text, where, indent=indent, width=width)
    else:
        both = "both" if len(cut.members) == 2 else f"these {len(cut.members)}"
        lines = [line(indent, Span(f"To free {share}, cut {both}:", "faint"))]
        lines += _members(cut, holder, indent=indent + "  ", width=width)
    if not cut.is_minimal:
        text = "the search for a smaller set was cut short: there may be one"
        lines += wrapped(text, width, first=indent + "  ", indent=indent + "  ", style="doubt")
    return lines


def _members(cut: Cut, holder: Holder | None, *, indent: str, width: int) -> list[Line]:
    """One line a member, or two when something does not fit; patterns stay whole, to be pasted."""
    alone = [f"alone: {count_text(m.frees_alone)} of {count_text(cut.of)}{_price(m)}" for m in cut.members]
    patterns = [visible(member.pattern) for member in cut.members]
    longest, widest = max(map(len, patterns)), max(map(len, alone))
    is_narrow = len(indent) + longest + 3 + widest > width
    lines: list[Line] = []
    for pattern, text, member in zip(patterns, alone, cut.members, strict=True):
        where = "" if _is_at(member, holder) else place(member.file, member.line)
        if is_narrow:
            lines += wrapped(pattern, width, first=indent, indent=indent + "  ", style="bad")
            lead, beside = indent + "    ", [Span(text)]
        else:
            lead, beside = indent, [Span(pattern.ljust(longest), "bad"), Span("   " + text.ljust(widest))]
        left = width - len(lead) - sum(len(span.text) for span in beside) - 3
        if not where:
            lines.append(line(lead, *beside))
        elif len(shortest_place(where)) <= left:
            lines.append(line(lead, *beside, Span("   " + shortened_place(where, left), "faint")))
        else:
            room = width - len(indent) - 4
            below = line(indent, "    ", Span(shortened_place(where, room), "faint"))
            lines += [line(lead, *beside), below]
    return lines


def _is_at(member: CutMember, holder: Holder | None) -> bool:
    """Whether the line above, about the holder, already says where the member is."""
    return holder is not None and (member.file, member.line) == (holder.file, holder.line)


def _price(member: CutMember) -> str:
    if not member.frees_old:
        return ""
    objects = "object" if member.frees_old == 1 else "objects"
    return f"; also frees {count_text(member.frees_old)} older {objects}"


def leak_table(leaks: Sequence[Leak], names: TypeNames, *, indent: str, width: int) -> list[Line]:
    """One line a leak: signature, how many of what, bytes, who holds them."""
    counts = [_subject(leak, names) for leak in leaks]
    sizes = [size_text(leak.exclusive_bytes) for leak in leaks]
    signature_width = max(len(leak.signature) for leak in leaks)
    size_width = max(len(text) for text in sizes)
    holders = [leak.holder.label if leak.holder is not None else leak.path.root for leak in leaks]
    # Nothing is shortened that would fit beside the longest holder.
    room = (
        width - len(indent) - signature_width - size_width - 6 - max(len(visible(text)) for text in holders)
    )
    count_width = min(max(len(text) for text in counts), max(32, room))
    lines = []
    for leak, text, size, held in zip(leaks, counts, sizes, holders, strict=True):
        start = (
            f"{indent}{visible(leak.signature):<{signature_width}}"
            f"  {shortened(text, count_width):<{count_width}}  {size:>{size_width}}  "
        )
        lines.append(line(start, Span(shortened(visible(held), width - len(start)), "mark")))
    return lines


def _subject(leak: Leak, names: TypeNames) -> str:
    text = f"{count_text(leak.count)} {names.leak(leak)}"
    return text if leak.verdict is Verdict.LEAK else f"{text} ({leak.verdict.value})"


def leak_lines(
    leak: Leak,
    names: TypeNames,
    *,
    width: int,
    all_paths: bool,
    with_cut: bool,
    unit: str = "run",
    stuck: str = "",
) -> list[Line]:
    """The leak's own section. `with_cut` repeats holder and cut, when the head does not show them.

    `stuck` says who in it can never wake.
    """
    lines = [_title(leak, names, width), *_evidence(leak, names, width, unit, stuck), line()]
    lines += path_tree(
        leak.path, names, width=width, indent=2, cut_steps=cut_steps(leak, leak.path), show_all=all_paths
    )
    lines += _also_held_by(leak, names, width=width, all_paths=all_paths)
    if with_cut:
        lines += [line(), *cut_lines(leak, indent="  ", width=width)]
    return lines


def _title(leak: Leak, names: TypeNames, width: int) -> Line:
    word = "leak" if leak.verdict is Verdict.LEAK else leak.verdict.value
    lead = f"{word} {visible(leak.signature)}   "
    size = size_text(leak.exclusive_bytes)
    room = width - len(lead) - len(size) - 2
    subject = shortened(f"{count_text(leak.count)} x {names.leak(leak)}", room)
    return line(Span(lead, "faint"), Span(subject, "title"), " " * (room - len(subject) + 2), size)


def _evidence(leak: Leak, names: TypeNames, width: int, unit: str, stuck: str) -> list[Line]:
    lines = wrapped(visible(leak.evidence), width, first="  ", indent="  ")
    bin_size = runs_per_column(len(leak.births))
    marks = births_line(leak.births, bin_size=bin_size)
    if marks:
        runs = f"  {unit}s 1 to {len(leak.births)}" + (f", {bin_size} a character" if bin_size > 1 else "")
        lines.append(line(Span("  births     ", "faint"), Span(marks, "bad"), Span(runs, "faint")))
    for label, text in (
        ("stuck", stuck),
        ("born in", works_of_leak(leak)),
        ("they hold", _contents(leak, names)),
        ("native", _native(leak)),
        ("made at", _sites(leak)),
        (
            "shared",
            f"{size_text(leak.shared_bytes)} more, with other new objects" if leak.shared_bytes else "",
        ),
    ):
        if text:
            lines += wrapped(text, width, first=f"  {label:<11}", indent=" " * 13)
    return lines


def _native(leak: Leak) -> str:
    if not leak.native_bytes:
        return ""
    each = size_text(leak.native_bytes / leak.count)
    return f"{size_text(leak.native_bytes)} of native blocks go with them, {each} each"


def _also_held_by(leak: Leak, names: TypeNames, *, width: int, all_paths: bool) -> list[Line]:
    if not leak.also_held_by:
        return []
    lines = [line(), line(Span("  also held by", "faint"))]
    shown = leak.also_held_by if all_paths else leak.also_held_by[:_HOLDERS_SHOWN]
    if all_paths:
        for path in shown:
            steps = cut_steps(leak, path)
            lines += path_tree(path, names, width=width, indent=4, cut_steps=steps, show_all=True)
    else:
        lines += sentences(shown, names, width, above=leak.path)
    if len(shown) < len(leak.also_held_by):
        text = f"{count_text(len(leak.also_held_by) - len(shown))} more: --paths shows all"
        lines.append(line("    ", Span(text, "faint")))
    return lines


def sentences(paths: Sequence[Path], names: TypeNames, width: int, *, above: Path) -> list[Line]:
    """One path a sentence; those that read alike are one, with their number.

    What a path shares with the one drawn `above` is not said again.
    """
    counts = Counter(path_sentence(path, names, above=above) for path in paths)
    lines: list[Line] = []
    for text, count in counts.items():
        times = f"  ({count_text(count)} such paths)" if count > 1 else ""
        lines += wrapped(text + times, width, first="    ", indent="      ")
    return lines


def _contents(leak: Leak, names: TypeNames) -> str:
    parts = [
        f"{count_text(count)} {names.short(type_name)} ({size_text(size)})"
        for type_name, count, size in leak.contents[:_CONTENTS_SHOWN]
    ]
    return ", ".join(parts)


def _sites(leak: Leak) -> str:
    parts = [
        f"{place(file, row)} {visible(function)} ({count_text(count)})"
        for file, row, function, count in leak.sites[:_SITES_SHOWN]
    ]
    if len(leak.sites) > _SITES_SHOWN:
        parts.append(f"{len(leak.sites) - _SITES_SHOWN} more places: --json has all")
    return ", ".join(parts)
