"""The answer of several workers as text: what they share first, then the heaviest one whole."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.headline import subject, where
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.results.workers import SharedLeak
from leakscan.analysis.workers import WorkersAnswer
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import Line, Span, line, wrapped
from leakscan.wording import count_text, size_text, visible

_INDENT: Final = " " * 6
_MOST_NAMED: Final = 8


def workers_text(answer: WorkersAnswer, options: TextOptions) -> list[Line]:
    """One line for all, one for each leak with its workers, and the heaviest worker's report."""
    width = options.screen.width
    lines = [_headline(answer)]
    shown = answer.leaks if options.limit == 0 else answer.leaks[: options.limit]
    for shared in shown:
        first = f"{_INDENT}{shared.leak.signature}  "
        lines += wrapped(_told(shared, answer), width, first=first, indent=" " * len(first))
    if len(shown) < len(answer.leaks):
        more = f"{len(answer.leaks) - len(shown)} more leaks: --limit 0 shows all"
        lines.append(line(_INDENT, Span(more, "faint")))
    for text in _differences(answer):
        lines += wrapped(visible(text), width, first=_INDENT, indent=_INDENT + "  ")
    for text in _memory(answer):
        lines += wrapped(text, width, first=_INDENT, indent=_INDENT + "  ")
    rule = f"---- worker {visible(answer.heaviest.mode)}, the one that holds most "
    lines += [line(), line(Span(rule + "-" * max(0, width - len(rule)), "faint")), line()]
    return lines + findings_text(answer.heaviest, options)


def _headline(answer: WorkersAnswer) -> Line:
    leaking = [one for one in answer.workers if one.verdict is Verdict.LEAK]
    certain = [shared for shared in answer.leaks if shared.leak.verdict is Verdict.LEAK]
    if leaking:
        everywhere = [shared for shared in certain if len(shared.workers) == len(leaking)]
        what = "different leaks"
        if len(certain) == 1:
            what = "the same leak" if len(leaking) > 1 else "one leak"
        elif len(everywhere) == len(certain):
            what = f"the same {len(certain)} leaks"
        elif everywhere:
            what = f"{len(everywhere)} in all of them, {len(certain) - len(everywhere)} in some"
        rest = f"  in {len(leaking)} of {answer.count} workers: {what}"
        return line(Span("LEAK", "bad"), Span(rest, "title"))
    if any(one.verdict is Verdict.INCONCLUSIVE for one in answer.workers):
        undecided = sum(one.verdict is Verdict.INCONCLUSIVE for one in answer.workers)
        return line(
            Span("INCONCLUSIVE", "doubt"), Span(f"  in {undecided} of {answer.count} workers", "title")
        )
    native = sum(one.verdict is Verdict.NATIVE for one in answer.workers)
    if native:
        return line(Span("NATIVE LEAK", "bad"), Span(f"  in {native} of {answer.count} workers", "title"))
    return line(
        Span("NO LEAK", "good"), Span(f"  in {len(answer.workers)} of {answer.count} workers", "title")
    )


def _told(shared: SharedLeak, answer: WorkersAnswer) -> str:
    count = sum(shared.counts)
    name = subject(shared.leak).removeprefix(count_text(shared.leak.count)).strip()
    verdict = shared.leak.verdict.value
    each = ", ".join(
        f"{worker}: {count_text(number)}"
        for worker, number in zip(shared.workers[:_MOST_NAMED], shared.counts, strict=False)
    )
    each += ", ..." * (len(shared.workers) > _MOST_NAMED)
    if shared.undecided and shared.undecided < len(shared.workers):
        verdict += f" ({shared.undecided} of them undecided)"
    return visible(
        f"{len(shared.workers)} of {answer.count} workers, {verdict}: {count_text(count)} {name},"
        f" {size_text(shared.bytes)} in all, {where(shared.leak)} ({each})"
    )


def _memory(answer: WorkersAnswer) -> list[str]:
    rows = answer.memory
    if not rows:
        return []
    before, after = sum(row.own_bytes_before for row in rows), sum(row.own_bytes_after for row in rows)
    text = (
        f"memory of {len(rows)} workers: {size_text(before)} -> {size_text(after)} of their own,"
        f" {size_text(max(row.copy_on_write_bytes_after for row in rows))} at most in common with others"
    )
    copied = sum(row.copied_bytes for row in rows)
    if copied:
        text += (
            f"; {size_text(copied)} of the growth are pages that they had in common before: a write, also"
            " of a reference count, copies a page"
        )
    return [text]


def _differences(answer: WorkersAnswer) -> list[str]:
    said = [f"worker {name}: no answer: {reason}" for name, reason in answer.unreadable]
    has_leak = {name for shared in answer.leaks for name in shared.workers}
    without = [one.mode for one in answer.workers if one.mode not in has_leak]
    if answer.leaks and without:
        named = ", ".join(without[:_MOST_NAMED]) + ", ..." * (len(without) > _MOST_NAMED)
        said.append(f"nothing that grows in {len(without)} of them: {named}")
    return said
