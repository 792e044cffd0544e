"""The answer of `whatif` as text: what would be freed, by each reference alone and by all together."""

from __future__ import annotations

from leakscan.analysis.cuts.whatif import PatternEffect, WhatIf
from leakscan.report.names import short_names
from leakscan.report.text.lines import Line, Span, line, wrapped
from leakscan.report.text.tables import Column, table
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, size_text, visible


def whatif_text(answer: WhatIf, screen: Screen) -> list[Line]:
    """First what all the named references free together, then each alone, then what it would be."""
    lines = _headline(answer, screen)
    if len(answer.effects) > 1 or answer.effects[0].is_weak:
        lines += [line(), *_effects(answer, screen.width)]
    else:
        lines += _only_effect(answer.effects[0], screen.width)
    lines += _also_held(answer, screen.width)
    if answer.freed_types:
        lines += [line(), *_types(answer, screen.width)]
    return lines


def _headline(answer: WhatIf, screen: Screen) -> list[Line]:
    freed = f"{_objects(answer.frees)}, {size_text(answer.frees_bytes)}"
    if not answer.survivors:
        word, style = ("FREES NOTHING", "bad") if not answer.frees else ("FREES", "good")
        text = f"{freed}; no survivors to free: nothing in the snapshot is known to be new"
    elif not answer.frees_survivors:
        word, style = "FREES NO SURVIVOR", "bad"
        rest = f"{freed} freed besides" if answer.frees else "nothing else is freed"
        text = f"all {count_text(answer.survivors)} stay; {rest}"
    else:
        is_all = not answer.still_held
        word, style = ("FREES ALL", "good") if is_all else ("FREES SOME", "doubt")
        text = f"{count_text(answer.frees_survivors)} of {count_text(answer.survivors)} survivors: {freed}"
        verb = "is" if answer.still_held == 1 else "are"
        text += "" if is_all else f"; {count_text(answer.still_held)} {verb} still held"
    if answer.frees_old:
        text += f"; {count_text(answer.frees_old)} of the objects were alive before the runs"
    text += "."
    if not screen.wraps_headline:
        return [line(Span(word, style), "  ", Span(text, "title"))]
    first, *more = wrapped(text, screen.width, first=word + "  ", indent=" " * 6, style="title")
    return [line(Span(word, style), "  ", *first[1:]), *more]


def _also_held(answer: WhatIf, width: int) -> list[Line]:
    """Who holds what the cut leads to, when it frees none of it, or what stays of it."""
    if not answer.led_to:
        return []
    if answer.frees_survivors:
        count = answer.led_to
        stay = "1 survivor behind it stays" if count == 1 else f"{count_text(count)} survivors behind it stay"
        by = ", also held by" if answer.also_held_by else ": held from C, or for ever"
        return [*wrapped(stay + by, width, first="      ", indent="        "), *_slots(answer, width)]
    them = "what it leads to is" if answer.led_to == 1 else f"all {count_text(answer.led_to)} it leads to are"
    if not answer.also_held_by:
        text = f"{them} alive by themselves: held from C, or for ever"
        return wrapped(text, width, first="      ", indent="        ")
    lines = wrapped(f"{them} also held by", width, first="      ", indent="        ")
    return lines + _slots(answer, width)


def _slots(answer: WhatIf, width: int) -> list[Line]:
    lines: list[Line] = []
    for slot, count in answer.also_held_by:
        counted = f"at least {count_text(count)}" if answer.also_held_at_least else count_text(count)
        share = "" if answer.led_to == 1 else f"  ({counted})"
        lines += wrapped(visible(slot) + share, width, first=" " * 8, indent=" " * 10, style="mark")
    return lines


def _effects(answer: WhatIf, width: int) -> list[Line]:
    columns = [
        Column("cut", is_number=False),
        Column("references"),
        Column("survivors"),
        Column("objects"),
        Column("bytes"),
    ]
    rows = [
        [
            visible(effect.pattern) + (" (weak)" if effect.is_weak else ""),
            count_text(effect.reference_count),
            count_text(effect.frees_survivors),
            count_text(effect.frees),
            size_text(effect.frees_bytes),
        ]
        for effect in answer.effects
    ]
    together = [
        "all together" if len(answer.effects) > 1 else "",
        "",
        count_text(answer.frees_survivors),
        count_text(answer.frees),
        size_text(answer.frees_bytes),
    ]
    heading = line(Span("freed by each alone", "faint"))
    return [heading, *table(columns, [*rows, *([together] if together[0] else [])], width=width)]


def _only_effect(effect: PatternEffect, width: int) -> list[Line]:
    references = (
        "1 reference" if effect.reference_count == 1 else f"{count_text(effect.reference_count)} references"
    )
    return wrapped(f"{visible(effect.pattern)}: {references}", width, first="      cut  ", indent=" " * 11)


def _types(answer: WhatIf, width: int) -> list[Line]:
    names = short_names(name for name, _, _ in answer.freed_types)
    columns = [Column("freed", is_number=False), Column("objects"), Column("bytes")]
    rows = [
        [names.short(name), count_text(count), size_text(size)] for name, count, size in answer.freed_types
    ]
    lines = table(columns, rows, width=width)
    if answer.types_omitted:
        lines.append(line(Span(f"{count_text(answer.types_omitted)} more types of object", "faint")))
    return lines


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count_text(count)} objects"
