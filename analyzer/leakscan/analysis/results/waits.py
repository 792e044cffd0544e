"""What is said about waiting tasks and threads: facts only, `report` writes the words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What can be said of a wait. Only NEVER is an accusation."""

    NEVER = "never"
    """nothing that still runs can reach what it waits for; at most cancelling would end it"""
    UNLESS_CANCELLED = "unless-cancelled"
    """the same, but code that still runs knows the task and may mean to cancel it"""
    UNLESS_FAILURE = "unless-failure"
    """it waits for all of several, one of which never ends: only a failure of another one wakes it"""
    MEANT = "meant"
    """nothing can settle the promise, but a variable holds it and it is the only one: it may be meant so"""
    CAN_WAKE = "can-wake"


class Waiter(StrEnum):
    """Who waits."""

    TASK = "task"
    TRIO_TASK = "trio-task"
    THREAD = "thread"
    ASYNC_FUNCTION = "async-function"
    """of JavaScript, an async generator too"""
    PROMISE = "promise"
    """of JavaScript, with callbacks of `then` that wait for it"""


class Reason(StrEnum):
    """Why an answer other than CAN_WAKE was given."""

    UNREACHABLE = "unreachable"
    """what it waits for is reached only from those that can never wake"""
    WAITS_FOR_STUCK = "waits-for-stuck"
    """it waits for another task, or for several, that can never wake"""
    CLOSED_LOOP = "closed-loop"
    """its event loop is closed: nothing in it will ever run again"""
    NONE = ""


class HeldBy(StrEnum):
    """Who holds a task itself, apart from those that can never wake."""

    NOBODY = "nobody"
    COLLECTION = "collection"
    """entries of a set, list, dict or deque, as programs keep tasks alive"""
    NAME = "name"
    """a variable, an attribute, or a group or scope that cancels what is in it"""


@dataclass(frozen=True, slots=True)
class Suspended:
    """One suspended function of a wait. `line` is 0 when unknown."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class WaitGroup:
    """Tasks or threads that wait in the same way. `chain` is read from the outermost function inwards."""

    waiter: Waiter
    name: str
    """the coroutine's qualified name, or the function that a thread runs; "" for a promise"""
    count: int
    answer: Answer
    reason: Reason
    waits_for: str
    """type of what it waits for: `asyncio.locks.Event`, `asyncio.Future`"""
    waits_for_groups: tuple[int, ...]
    """positions in `Stuck.groups` of those it waits for, when it waits for tasks"""
    held_by: HeldBy
    holder: str
    """where the task itself is held, as a program writes it; "" when by nobody"""
    chain: tuple[Suspended, ...]
    births: tuple[tuple[int, int], ...]
    """(run, how many of them were made in it), where the snapshot knows births"""


@dataclass(frozen=True, slots=True)
class StuckSurvivors:
    """Tasks or threads of a leak that can never wake: survivors, beside them, or all that holds them."""

    count: int
    groups: tuple[int, ...]
    """positions in `Findings.stuck.groups` of those that they belong to"""
    are_survivors: bool
    """each survivor that the leak is named after is one of them"""
    alone_hold: bool
    """nothing that still runs reaches the survivors, but through them"""


@dataclass(frozen=True, slots=True)
class Stuck:
    """All that waits in one snapshot; worst first.

    `only_they_hold_count` and `only_they_hold_bytes` are the live objects that nothing else reaches: what
    would be freed if those that can never wake were gone.
    """

    runtime: str
    waiting: int
    never: int
    unless_cancelled: int
    unless_failure: int
    only_they_hold_count: int
    only_they_hold_bytes: int
    groups: tuple[WaitGroup, ...]
