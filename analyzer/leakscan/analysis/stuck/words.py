"""Why those in a leak can never wake, as a clause: the headline and the reports share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak
from leakscan.analysis.results.waits import Reason, StuckSurvivors, Waiter, WaitGroup
from leakscan.wording import count_text, visible

NAMES: Final = {
    Waiter.TASK: "task",
    Waiter.TRIO_TASK: "trio task",
    Waiter.THREAD: "thread",
    Waiter.ASYNC_FUNCTION: "async function",
    Waiter.PROMISE: "promise",
}
OF_JAVASCRIPT: Final = frozenset((Waiter.ASYNC_FUNCTION, Waiter.PROMISE))
_OF_SEVERAL: Final = {False: "task", True: "wait"}


def wakes(groups: Sequence[WaitGroup]) -> str:
    """What those of these groups can never do."""
    is_promise = all(group.waiter is Waiter.PROMISE for group in groups)
    return "settle" if is_promise else "wake"


def never_wake(findings: Findings, leak: Leak) -> str:
    """`they can never wake: nobody else reaches the Event that they wait for`; "" when all of them may."""
    stuck, groups = leak.stuck, groups_of(findings, leak.stuck)
    if stuck is None or not groups:
        return ""
    who = named(stuck.count, groups)
    if stuck.are_survivors:
        is_one = leak.count == 1
        return f"{'it' if is_one else 'they'} can never {wakes(groups)}: {_why(groups[0], is_one=is_one)}"
    them = "it" if leak.count == 1 else "them"
    why = _why(groups[0], is_one=stuck.count == 1)
    if stuck.alone_hold:
        return f"only {who} {_hold(stuck.count)} {them} and can never {wakes(groups)}: {why}"
    return f"with {them}, {who} can never {wakes(groups)}: {why}"


def groups_of(findings: Findings, stuck: StuckSurvivors | None) -> list[WaitGroup]:
    """The groups of `Findings.stuck` that a leak speaks of."""
    if stuck is None or findings.stuck is None:
        return []
    return [findings.stuck.groups[at] for at in stuck.groups if at < len(findings.stuck.groups)]


def named(count: int, groups: list[WaitGroup]) -> str:
    """`20 tasks watch`, of all together."""
    waiters = {group.waiter for group in groups}
    what = NAMES[waiters.pop()] if len(waiters) == 1 else _OF_SEVERAL[bool(waiters & OF_JAVASCRIPT)]
    names = {group.name for group in groups}
    name = f" {visible(names.pop())}" if len(names) == 1 and "" not in names else ""
    return f"{count_text(count)} {what if count == 1 else what + 's'}{name}"


def _why(group: WaitGroup, *, is_one: bool) -> str:
    if group.reason is Reason.CLOSED_LOOP:
        return f"{'its' if is_one else 'their'} event loop is closed"
    waits = "it waits for" if is_one else "they wait for"
    if group.waiter is Waiter.PROMISE:
        return f"nothing that still runs can settle {'it' if is_one else 'them'}"
    if group.waiter is Waiter.ASYNC_FUNCTION:
        return f"nothing that still runs can settle the promise that {waits}"
    if group.reason is Reason.WAITS_FOR_STUCK:
        return f"{waits} others that never wake"
    what = visible(group.waits_for.rpartition(".")[2]).lstrip("_") or "future"
    return f"nobody else reaches the {what} that {waits}"


def _hold(count: int) -> str:
    return "holds" if count == 1 else "hold"
