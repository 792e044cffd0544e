"""Tasks and threads that can never wake, as text: the headline, then who waits for whom, and where."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.waits import Answer, HeldBy, Reason, Stuck, Waiter, WaitGroup
from leakscan.analysis.stuck.words import NAMES, OF_JAVASCRIPT
from leakscan.report.text.lines import Line, Span, line, shortened_place, wrapped
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, size_text, visible

_SECTIONS: Final = {
    Answer.NEVER: "",
    Answer.UNLESS_CANCELLED: "Only cancelling ends these, which running code may mean to do (no accusation)",
    Answer.UNLESS_FAILURE: "These wait for all of several; one never ends, so only a failure wakes them",
    Answer.MEANT: "Nothing settles this promise, the only one that a variable holds: it may be meant so",
    Answer.CAN_WAKE: "These can wake",
}
_OTHER_NAMES: Final = {
    "asyncio.tasks._GatheringFuture": "a gather",
    "asyncio.taskgroups.TaskGroup": "a TaskGroup",
    "trio._core._run.NurseryManager": "a nursery",
    "asyncio.Task": "a task",
}
_INDENT: Final = "      "
_OUTERMOST, _INNERMOST = 4, 2


def stuck_text(found: Stuck, screen: Screen, *, limit: int, show_all: bool = False) -> list[Line]:
    """`limit` is the most groups shown, 0 shows all; those that can wake only with `show_all`."""
    lines = _headline(found, screen)
    shown = [group for group in found.groups if show_all or group.answer is not Answer.CAN_WAKE]
    section = Answer.NEVER
    for group in shown[: limit or None]:
        if group.answer is not section:
            section = group.answer
            lines += [line(), *wrapped(f"{_SECTIONS[section]}:", screen.width, style="faint")]
        lines += [line(), *_group(group, found, screen.width)]
    left_out = len(shown) - len(shown[: limit or None])
    if left_out:
        lines += [line(), line(Span(f"... {count_text(left_out)} more: --limit 0 shows them", "faint"))]
    return lines


def _headline(found: Stuck, screen: Screen) -> list[Line]:
    if not found.waiting:
        waiter = "no async function" if found.runtime == "v8" else "no task and no thread"
        return [line(Span("NOTHING STUCK", "good"), f"  {waiter} is known to wait")]
    if not found.never:
        waiting = f"{count_text(found.waiting)} {_wait(found.waiting)}"
        text = f"NOTHING STUCK  {waiting}; none is known to wait in vain"
        return wrapped(text, screen.width if screen.wraps_headline else len(text) + 1, style="good")
    waiting = f"{count_text(found.never)} of {count_text(found.waiting)} that wait can never wake"
    held = f"{count_text(found.only_they_hold_count)} objects, {size_text(found.only_they_hold_bytes)}"
    text = f"STUCK  {waiting}. Only they hold {held}."
    return wrapped(text, screen.width if screen.wraps_headline else len(text) + 1, style="bad")


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _group(group: WaitGroup, found: Stuck, width: int) -> list[Line]:
    name = visible(group.name) or ("" if group.waiter is Waiter.PROMISE else "?")
    head = f"{count_text(group.count):>4} x {NAMES[group.waiter]} {name}".rstrip()
    lines = wrapped(head, width, indent=_INDENT, style="title" if group.answer is Answer.NEVER else "")
    lines += wrapped(_why(group, found), width, first=_INDENT, indent=_INDENT)
    steps = group.chain
    hidden = len(steps) - _OUTERMOST - _INNERMOST
    for position, step in enumerate(steps):
        if hidden > 0 and _OUTERMOST <= position < len(steps) - _INNERMOST:
            if position == _OUTERMOST:
                lines.append(line(f"{_INDENT}   ... {count_text(hidden)} more"))
            continue
        lead = f"{_INDENT}{'`- ' if position else '   '}{visible(step.function)}"
        place = f"{visible(step.file)}:{step.line}" if step.file and step.line else ""
        room = max(width - len(lead) - 2, 16)
        lines.append(line(lead, "  ", Span(shortened_place(place, room), "faint")))
    if group.births:
        lines += wrapped(since(group), width, first=_INDENT, indent=_INDENT)
    return lines


def _why(group: WaitGroup, found: Stuck) -> str:
    if group.waiter in OF_JAVASCRIPT:
        return _why_in_javascript(group)
    name = visible(_OTHER_NAMES.get(group.waits_for, group.waits_for)) or "?"
    if group.waits_for_groups:
        others = [found.groups[number] for number in group.waits_for_groups]
        names = ", ".join(f"{visible(other.name) or '?'} ({_brief(other.answer)})" for other in others)
        text = f"waits for {name} of {names}" if group.reason is not Reason.NONE else f"waits for {names}"
    else:
        text = f"waits for {name}"
    if group.reason is Reason.CLOSED_LOOP:
        return f"{text}; its event loop is closed"
    if group.reason is Reason.UNREACHABLE:
        text += ", which nobody else can reach"
    if group.answer is Answer.NEVER and group.waiter is not Waiter.THREAD:
        if group.held_by is HeldBy.COLLECTION:
            text += f"; the task is kept in {visible(group.holder)}"
    elif group.held_by is HeldBy.NAME:
        text += f"; known as {visible(group.holder)}"
    return text


def _why_in_javascript(group: WaitGroup) -> str:
    is_blocked = group.answer is not Answer.CAN_WAKE
    if group.waiter is Waiter.PROMISE:
        text = "nothing that still runs can settle it" if is_blocked else "something can settle it"
        text += "; a callback waits for it"
    else:
        text = f"waits for a {visible(group.waits_for)}"
        text += ", which nothing that still runs can settle" if is_blocked else ""
    return f"{text}; the promise is kept in {visible(group.holder)}" if group.holder else text


def _brief(answer: Answer) -> str:
    return {
        Answer.NEVER: "never wakes",
        Answer.UNLESS_CANCELLED: "unless cancelled",
        Answer.UNLESS_FAILURE: "unless another fails",
        Answer.MEANT: "may be meant so",
        Answer.CAN_WAKE: "can wake",
    }[answer]


def since(group: WaitGroup) -> str:
    """`since run 1, 1 per run in 20 runs; 3 from before the runs`, "" where births are not known."""
    runs = [(run, count) for run, count in group.births if run]
    before = sum(count for run, count in group.births if not run)
    parts = []
    if runs:
        counts = sorted({count for _, count in runs})
        rate = (
            count_text(counts[0]) if len(counts) == 1 else f"{count_text(counts[0])}-{count_text(counts[-1])}"
        )
        parts.append(f"since run {runs[0][0]}, {rate} per run in {count_text(len(runs))} runs")
    if before:
        parts.append(f"{count_text(before)} from before the runs")
    return "; ".join(parts)
