"""Those who can never wake, in the answer of `diff`: in a leak's section, and all of them in one line."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.findings import Findings, Leak
from leakscan.analysis.results.waits import HeldBy, WaitGroup
from leakscan.analysis.stuck.words import groups_of, named, never_wake
from leakscan.report.names import place
from leakscan.report.text.lines import Line, wrapped
from leakscan.report.text.stuck import since
from leakscan.wording import count_text, size_text, visible

_GROUPS_SHOWN: Final = 3


def stuck_sentence(findings: Findings, leak: Leak) -> str:
    """Who in the leak can never wake, why, since when and at which line; "" when nobody is stuck in it."""
    text, groups = never_wake(findings, leak), groups_of(findings, leak.stuck)
    if not text:
        return ""
    parts = [text, since(groups[0]), _at(groups[0])]
    return "; ".join(part for part in parts if part)


def stuck_lines(findings: Findings, width: int, *, limit: int) -> list[Line]:
    """How many can never wake, and who of them is in none of the leaks that are told."""
    stuck = findings.stuck
    if stuck is None or not stuck.never:
        return []
    held = f"{count_text(stuck.only_they_hold_count)} objects, {size_text(stuck.only_they_hold_bytes)}"
    waiting = f"{count_text(stuck.never)} of {count_text(stuck.waiting)} that wait can never wake"
    lines = wrapped(f"{waiting}; only they hold {held}", width, first="stuck: ", indent="  ")
    told = {at for leak in findings.leaks if leak.stuck is not None for at in leak.stuck.groups}
    others = [group for at, group in enumerate(stuck.groups) if at not in told]
    shown = others[: _GROUPS_SHOWN if limit else None]
    for group in shown:
        lines += wrapped(group_sentence(group), width, first="  ", indent="    ")
    if len(shown) < len(others):
        text = f"{count_text(len(others) - len(shown))} more: leakscan stuck shows them"
        lines += wrapped(text, width, first="  ", indent="    ")
    return lines


def group_sentence(group: WaitGroup) -> str:
    """`20 tasks watch wait for asyncio.locks.Event; kept in Room.watchers; since run 1, ...`."""
    verb = "waits" if group.count == 1 else "wait"
    parts = [f"{named(group.count, [group])} {verb} for {visible(group.waits_for) or '?'}"]
    if group.held_by is not HeldBy.NOBODY and group.holder:
        parts.append(f"kept in {visible(group.holder)}")
    return "; ".join(part for part in (*parts, since(group), _at(group)) if part)


def _at(group: WaitGroup) -> str:
    step = next((step for step in group.chain if step.file and step.line), None)
    return f"at {place(step.file, step.line)}" if step is not None else ""
