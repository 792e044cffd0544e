"""Two captures compared, as text: pass or fail first, then leak by leak."""

from __future__ import annotations

from leakscan.analysis.compare import Change, Comparison, ComparisonByMode, LeakChange, listed
from leakscan.report.names import TypeNames, short_names
from leakscan.report.text.lines import Line, Span, line, shortened, wrapped
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, rate_text, size_text, visible

_STYLES = {
    Change.NEW: "bad",
    Change.LARGER: "bad",
    Change.SAME: "doubt",
    Change.SMALLER: "doubt",
    Change.UNPROVED: "doubt",
    Change.GONE: "good",
}
_WORD_STYLES = {"PASS": "good", "FAIL": "bad"}


def compare_text(comparison: Comparison, screen: Screen, *, accepts_same: bool = False) -> list[Line]:
    """The verdict, the two headlines, and each leak with its rate before and after.

    With `accepts_same` a candidate that is no worse passes, though it is not fixed.
    """
    width = screen.width
    headline = comparison.headline
    if accepts_same and comparison.is_no_worse and not comparison.is_fixed:
        headline = f"PASS  no worse: {listed(comparison.changes)}"
    lines = _headline(comparison, headline, screen)
    lines += wrapped(visible(comparison.baseline_headline), width, first="      before  ", indent=" " * 14)
    lines += wrapped(visible(comparison.candidate_headline), width, first="      after   ", indent=" " * 14)
    if comparison.changes:
        lines += [line(), *_changes(comparison, width)]
    for note in comparison.notes:
        lines += wrapped(visible(note), width, first="note: ", indent="  ", style="doubt")
    return lines


def compare_modes_text(found: ComparisonByMode, screen: Screen, *, accepts_same: bool = False) -> list[Line]:
    """One comparison for each mode, below a line that says in how many the candidate passes."""
    failing = [mode for mode, one in found.modes if not _passes(one, accepts_same)]
    count = len(found.modes) + len(found.unmatched)
    if failing:
        word, text = "FAIL", f"in {len(failing)} of {count} modes: {', '.join(map(visible, failing))}"
    elif found.unmatched or not found.modes:
        word, text = "UNDECIDED", f"{len(found.unmatched)} of {count} modes could not be compared"
    else:
        word, text = "PASS", f"in all {count} modes"
    style = _WORD_STYLES.get(word, "doubt")
    lines = wrapped(text, screen.width, first=f"{word}  ", indent=" " * 6, style=style)
    for mode, reason in found.unmatched:
        lines += wrapped(f"{visible(mode)}: {visible(reason)}", screen.width, first="      ", indent=" " * 8)
    for mode, one in found.modes:
        rule = f"---- mode {visible(mode)} "
        lines += [line(), line(Span(rule + "-" * (screen.width - len(rule)), "faint")), line()]
        lines += compare_text(one, screen, accepts_same=accepts_same)
    return lines


def _passes(comparison: Comparison, accepts_same: bool) -> bool:
    return comparison.is_fixed or (accepts_same and comparison.is_no_worse)


def _headline(comparison: Comparison, headline: str, screen: Screen) -> list[Line]:
    word, gap, rest = visible(headline).partition("  ")
    style = _WORD_STYLES.get(word, "doubt")
    if comparison.bytes_per_run_before or comparison.bytes_per_run_after:
        before, after = size_text(comparison.bytes_per_run_before), size_text(comparison.bytes_per_run_after)
        rest += f"; {before} per run before, {after} after"
    if not screen.wraps_headline:
        return [line(Span(word, style), gap, Span(rest, "title"))]
    first, *more = wrapped(rest, screen.width, first=word + gap, indent=" " * 6, style="title")
    return [line(Span(word, style), gap, *first[1:]), *more]


def _changes(comparison: Comparison, width: int) -> list[Line]:
    names = short_names(change.type_name for change in comparison.changes)
    lines: list[Line] = []
    for change in comparison.changes:
        lines += _change(change, names, width)
    return lines


def _change(change: LeakChange, names: TypeNames, width: int) -> list[Line]:
    word = f"{change.change.value:<9}"
    rates = f"{_rate(change.rate_before)} -> {_rate(change.rate_after)} per run"
    room = width - len(word) - len(rates) - 2
    subject = shortened(f"{visible(change.signature)}  {names.short(change.type_name)}", room)
    head = line(
        Span(word, _STYLES[change.change]),
        Span(subject, "title"),
        " " * (room - len(subject) + 2),
        rates,
    )
    indent = " " * len(word)
    lines = [head, *wrapped(f"held by {visible(change.holder)}", width, first=indent, indent=indent + "  ")]
    sizes = f"{size_text(change.bytes_per_run_before)} -> {size_text(change.bytes_per_run_after)} per run"
    text = f"{sizes}; {visible(change.evidence)}"
    if change.matched_by == "type and holder":
        text += f"; matched by {visible(change.matched_by)}"
    return [*lines, *wrapped(text, width, first=indent, indent=indent + "  ")]


def _rate(rate: float) -> str:
    return rate_text(round(rate, 2)) if rate < 1000 else count_text(round(rate))
