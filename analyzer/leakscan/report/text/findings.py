"""Findings as the text on a screen: the first line stands alone, what to do next to it, then the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leakscan.analysis.headline import garbage_size
from leakscan.analysis.results.findings import CycleFinding, Findings, Leak, Verdict
from leakscan.report.names import TypeNames, type_names
from leakscan.report.reproduce import measured
from leakscan.report.text.leaks import cut_lines, leak_lines, leak_table, set_to_cut
from leakscan.report.text.lines import Line, Span, line, wrapped
from leakscan.report.text.memory import memory_lines
from leakscan.report.text.never import stuck_lines, stuck_sentence
from leakscan.report.text.tables import growth_table
from leakscan.report.text.terminal import Screen
from leakscan.report.text.works import works_lines
from leakscan.wording import count_text, size_text, visible

DEFAULT_LIMIT: Final = 10
_NOISE_ROWS: Final = 3
_LEAK_ROWS: Final = 20
"""Leaks in the table at the top, one line each, at least."""
_COMMON_CUTS: Final = 8
"""More references to cut than that are told with their leaks."""
_INDENT: Final = " " * 6
_VERDICT_STYLE: Final = {Verdict.LEAK: "bad", Verdict.NATIVE: "bad", Verdict.INCONCLUSIVE: "doubt"}
_BAD_MODES: Final = (
    (Verdict.LEAK, "LEAK"),
    (Verdict.NATIVE, "NATIVE LEAK"),
    (Verdict.INCONCLUSIVE, "INCONCLUSIVE"),
)


@dataclass(frozen=True, slots=True)
class TextOptions:
    """`limit` is the most leaks and the most types shown (0: all); `all_paths` unfolds every path."""

    limit: int = DEFAULT_LIMIT
    all_paths: bool = False
    screen: Screen = field(default_factory=Screen)


def findings_text(findings: Findings, options: TextOptions) -> list[Line]:
    """The whole report. What is left out is counted, with the option that shows it."""
    names = type_names(findings)
    sections = [
        _head(findings, names, options),
        *_leak_sections(findings, names, options),
        _growth_section(findings, options),
        [
            *_others(findings, names, options),
            *_noise(findings, names, options),
            *_garbage(findings, names, options),
            *stuck_lines(findings, options.screen.width, limit=options.limit),
        ],
        _foot(findings, options),
    ]
    lines: list[Line] = []
    for section in sections:
        if section:
            lines += [*([line()] if lines else []), *section]
    return lines


def modes_text(
    results: Sequence[Findings], without_answer: Sequence[tuple[str, str]], options: TextOptions
) -> list[Line]:
    """One report for each mode of a capture, below a line that says which of them leak.

    `without_answer` are the modes of which nothing can be said, with the reason.
    """
    width = options.screen.width
    lines = [_modes_headline(results, len(without_answer))]
    headlines = [(findings.mode, findings.headline) for findings in results]
    longest = max(len(mode) for mode, _ in (*headlines, *without_answer))
    for mode, text in (*headlines, *((mode, f"no answer: {reason}") for mode, reason in without_answer)):
        first = f"      {visible(mode):<{longest}}  "
        lines += wrapped(visible(text), width, first=first, indent=" " * len(first))
    for findings in results:
        rule = f"---- mode {visible(findings.mode)} "
        lines += [line(), line(Span(rule + "-" * (width - len(rule)), "faint")), line()]
        lines += findings_text(findings, options)
    return lines


def _modes_headline(results: Sequence[Findings], without_answer: int) -> Line:
    count = len(results) + without_answer
    for verdict, word in _BAD_MODES:
        modes = [visible(findings.mode) for findings in results if findings.verdict is verdict]
        if modes:
            text = f"  in {len(modes)} of {count} modes: {', '.join(modes)}"
            return line(Span(word, _VERDICT_STYLE[verdict]), Span(text, "title"))
    rest = f"; {without_answer} without an answer" if without_answer else ""
    return line(Span("NO LEAK", "good"), Span(f"  in {len(results)} of {count} modes{rest}", "title"))


def _head(findings: Findings, names: TypeNames, options: TextOptions) -> list[Line]:
    width = options.screen.width
    lines = _headline(findings, options)
    if len(findings.leaks) == 1:
        says_c = "held from C" in findings.headline
        lines += cut_lines(findings.leaks[0], indent=_INDENT, width=width, says_held_from_c=not says_c)
    elif findings.leaks:
        told = len(_limited(findings.leaks, options))
        rows = findings.leaks[: max(told, _LEAK_ROWS) if told >= DEFAULT_LIMIT else told]
        lines += leak_table(rows, names, indent=_INDENT, width=width)
        if len(rows) < len(findings.leaks):
            lines.append(line(_INDENT, _more(len(findings.leaks) - len(rows), "leak")))
        elif told < len(rows):
            lines.append(line(_INDENT, Span(f"{told} of them are told below: --limit 0 shows all", "faint")))
        lines += _common_cut(findings, options)
    if findings.proof:
        text = visible(findings.proof)
        lines += wrapped(text[:1].upper() + text[1:], width, first=_INDENT, indent=_INDENT + "  ")
    # The headline of an undecided capture may name the command itself.
    if findings.next_command and findings.next_command not in findings.headline:
        command = visible(findings.next_command)
        lead = _INDENT + "Run next  "
        lines += wrapped(command, width, first=lead, indent=" " * len(lead), style="title")
    return lines


def _common_cut(findings: Findings, options: TextOptions) -> list[Line]:
    """The set that frees all leaks; a long one is counted, since each leak has its part of it beside it."""
    width, cut = options.screen.width, findings.cut
    if cut is None or not cut.members:
        return []
    if len(cut.members) <= _COMMON_CUTS or options.limit == 0:
        return set_to_cut(cut, f"all {count_text(cut.of)} of them", None, indent=_INDENT, width=width)
    share = (
        f"all {count_text(cut.of)}"
        if cut.frees == cut.of
        else f"{count_text(cut.frees)} of {count_text(cut.of)}"
    )
    told = {
        member.pattern
        for leak in _limited(findings.leaks, options)
        for member in (leak.cut.members if leak.cut is not None else ())
    }
    left = sum(member.pattern not in told for member in cut.members)
    text = f"To free {share} of them takes {len(cut.members)} cuts: each is below, with its leak"
    if left:
        text = f"{text}; the other {count_text(left)}: --limit 0 lists all"
    return wrapped(text, width, first=_INDENT, indent=_INDENT + "  ", style="faint")


def _headline(findings: Findings, options: TextOptions) -> list[Line]:
    text = visible(findings.headline)
    verdict, gap, rest = text.partition("  ")
    style = _VERDICT_STYLE.get(findings.verdict, "good")
    if not options.screen.wraps_headline or not rest:
        return [line(Span(verdict, style), gap, Span(rest, "title"))]
    first, *more = wrapped(rest, options.screen.width, first=verdict + gap, indent=_INDENT, style="title")
    return [line(Span(verdict, style), gap, *first[1:]), *more]


def _leak_sections(findings: Findings, names: TypeNames, options: TextOptions) -> list[list[Line]]:
    is_only = len(findings.leaks) == 1
    return [
        leak_lines(
            leak,
            names,
            width=options.screen.width,
            all_paths=options.all_paths,
            with_cut=not is_only,
            unit=findings.unit,
            stuck=stuck_sentence(findings, leak),
        )
        for leak in _limited(findings.leaks, options)
    ]


def _growth_section(findings: Findings, options: TextOptions) -> list[Line]:
    if not findings.growth:
        return []
    shown = findings.growth[: options.limit or None]
    lines = growth_table(shown, runs=findings.runs, width=options.screen.width, unit=findings.unit)
    if len(shown) < len(findings.growth):
        lines.append(line(_more(len(findings.growth) - len(shown), "type")))
    return lines


def _others(findings: Findings, names: TypeNames, options: TextOptions) -> list[Line]:
    """Groups that weigh less than the verdict, in a line or two each."""
    if not findings.others:
        return []
    groups = "1 other group" if len(findings.others) == 1 else f"{len(findings.others)} other groups"
    lines = [line(Span("besides: ", "title"), f"{groups} of survivors")]
    shown = findings.others if options.limit == 0 else findings.others[:_NOISE_ROWS]
    for leak in shown:
        held = leak.holder.label if leak.holder is not None else leak.path.root
        what = f"{count_text(leak.count)} {names.leak(leak)} ({size_text(leak.exclusive_bytes)})"
        text = f"{leak.verdict.value}: {what} held by {visible(held)}: {visible(leak.evidence)}"
        lines += wrapped(text, options.screen.width, first="  ", indent="    ")
    if len(shown) < len(findings.others):
        lines.append(line("  ", _more(len(findings.others) - len(shown), "group")))
    return lines


def _noise(findings: Findings, names: TypeNames, options: TextOptions) -> list[Line]:
    if not findings.noise:
        return []
    objects = sum(leak.count for leak in findings.noise)
    size = size_text(sum(leak.exclusive_bytes for leak in findings.noise))
    survivors = "1 survivor" if objects == 1 else f"{count_text(objects)} survivors"
    lines = [line(Span("noise: ", "title"), f"{survivors} kept by libraries ({size}), not counted as leaks")]
    shown = findings.noise if options.limit == 0 else findings.noise[:_NOISE_ROWS]
    for leak in shown:
        what = f"{count_text(leak.count)} {names.leak(leak)}, {visible(leak.noise)}"
        lines += wrapped(what, options.screen.width, first="  ", indent="    ")
    if len(shown) < len(findings.noise):
        lines.append(line("  ", _more(len(findings.noise) - len(shown), "kind")))
    return lines


def _garbage(findings: Findings, names: TypeNames, options: TextOptions) -> list[Line]:
    lines: list[Line] = []
    # The first line of a garbage verdict says it already.
    if findings.garbage_count and findings.verdict is not Verdict.GARBAGE:
        waited = f"{_objects(findings.garbage_count)}{garbage_size(findings)}"
        text = f"{waited} only waited for the garbage collector: not a leak"
        lines += wrapped(text, options.screen.width, first="garbage: ", indent="  ")
    shown = findings.cycles if options.limit == 0 else findings.cycles[:_NOISE_ROWS]
    if shown:
        lines.append(line(Span("cycles among the new objects:", "title")))
    for cycle in shown:
        lines += wrapped(_cycle(cycle, names), options.screen.width, first="  ", indent="    ")
    if len(shown) < len(findings.cycles):
        lines.append(line("  ", _more(len(findings.cycles) - len(shown), "cycle")))
    return lines


def _cycle(cycle: CycleFinding, names: TypeNames) -> str:
    among = ", ".join(names.short(name) for name in cycle.type_names)
    cycles = "cycle" if cycle.cycle_count == 1 else f"{count_text(cycle.cycle_count)} cycles"
    text = f"{cycles} of {among}: {_objects(cycle.object_count)}, {size_text(cycle.bytes)}"
    if cycle.through_uncollected_type:
        blind = visible(cycle.through_uncollected_type)
        return f"{text}; {blind} takes no part in collection, so the collector can never free it"
    return f"{text}, garbage" if cycle.is_garbage else f"{text}; held from outside, as shown above"


def _foot(findings: Findings, options: TextOptions) -> list[Line]:
    width = options.screen.width
    lines = [
        *works_lines(findings, width, limit=options.limit),
        *memory_lines(findings, width),
        *_projection(findings, width),
        *_how(findings, width),
    ]
    for warning in findings.warnings:
        lines += wrapped(visible(warning), width, first="warning: ", indent="  ", style="doubt")
    for omitted in findings.omitted:
        lines += wrapped(visible(omitted), width, first="left out: ", indent="  ")
    return lines


def _projection(findings: Findings, width: int) -> list[Line]:
    if not findings.projections:
        return []
    parts = [
        f"{size_text(point.bytes)} after {count_text(point.runs)} {findings.unit}s"
        for point in findings.projections
    ]
    last = findings.projections[-1]
    low, high = size_text(last.low_bytes), size_text(last.high_bytes)
    interval = f" (the last within {low} to {high})" if low != high else ""
    if last.basis == "faster":
        interval += f"; each {findings.unit} leaves more than the one before it"
    if last.basis == "process":
        interval = ", at the pace of the process, of which the objects are a part"
    return wrapped(f"{', '.join(parts)}{interval}", width, first="ahead     ", indent=" " * 10)


def _how(findings: Findings, width: int) -> list[Line]:
    return wrapped(measured(findings, with_tool=False), width, first="measured  ", indent=" " * 10)


def _limited(leaks: tuple[Leak, ...], options: TextOptions) -> tuple[Leak, ...]:
    return leaks[: options.limit or None]


def _more(count: int, noun: str) -> Span:
    plural = noun if count == 1 else f"{noun}s"
    return Span(f"{count_text(count)} more {plural}: --limit 0 shows all", "faint")


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count_text(count)} objects"
