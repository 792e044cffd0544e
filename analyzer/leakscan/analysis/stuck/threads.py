"""Threads that wait without a time limit: in a condition, for another thread, in a lock or a queue of C."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leakscan.analysis.graph.refs import frames_below
from leakscan.analysis.stuck.fields import Fields
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind, ObjectFlag, RootKind

_CALLS: Final = {
    "acquire": frozenset({"_thread.lock", "_thread.RLock"}),
    "__enter__": frozenset({"_thread.lock", "_thread.RLock"}),
    "get": frozenset({"_queue.SimpleQueue"}),
}
"""Methods that wait, and what of."""
_DEPTH_IS_KNOWN: Final = (3, 14)
"""Since this version a frame says how deep its value stack is, so that all arguments of a call are seen."""


@dataclass(frozen=True, slots=True)
class WaitingThread:
    """`waits_for`: the lock or queue, or the thread that it `joins`; `top` is its last frame."""

    thread: int
    waits_for: int
    top: int
    root: int
    joins: bool = False


def waiting_threads(graph: HeapGraph, fields: Fields) -> Iterator[WaitingThread]:
    """Threads that are known to wait. The main thread is not among them: a signal interrupts it.

    Of several inside the `acquire` of one lock, or the `get` of one queue, one may have got it already and is
    only not running again yet: none of them is told.
    """
    found = list(_waiting(graph, fields))
    inside = Counter(each.waits_for for each in found)
    for each in found:
        if each.joins or inside[each.waits_for] == 1:
            yield each


def _waiting(graph: HeapGraph, fields: Fields) -> Iterator[WaitingThread]:
    for root in range(len(graph.roots)):
        if graph.root_kind(root) != RootKind.THREAD or int(graph.roots.flags[root]):
            continue
        top = int(graph.roots.targets[root])
        frames = frames_below(graph, top)
        is_thread = _function(graph, frames[-1]) == "Thread._bootstrap"
        thread = fields.get(frames[-1], "self") if is_thread else None
        if thread is None:
            continue
        joined = _joins(graph, fields, frames)
        if joined is not None:
            yield WaitingThread(thread, joined, top, root, joins=True)
            continue
        if _function(graph, top).rpartition(".")[2] == "wait":
            waits_for = _waits_in_condition(graph, fields, top)
        else:
            waits_for = _waits_in_call(graph, fields, top)
        if waits_for is not None:
            yield WaitingThread(thread, waits_for, top, root)


def _function(graph: HeapGraph, frame: int) -> str:
    return graph.name_of(frame) or ""


def _waits_in_condition(graph: HeapGraph, fields: Fields, frame: int) -> int | None:
    """The lock that a thread waits for in `threading.Condition.wait()` without a time limit.

    Once notified, the lock is no longer among the waiters: that thread is on its way.
    """
    if fields.get(frame, "timeout") is not None:
        return None
    condition, lock = fields.get(frame, "self"), fields.get(frame, "waiter")
    if condition is None or lock is None or graph.type_name(condition) != "threading.Condition":
        return None
    waiters = fields.get(condition, "_waiters")
    return lock if waiters is not None and lock in fields.targets(waiters) else None


def _joins(graph: HeapGraph, fields: Fields, frames: list[int]) -> int | None:
    """The thread whose end is waited for in `Thread.join()` without a time limit."""
    # Until 3.12 it waits one frame deeper.
    is_deeper = _function(graph, frames[0]) == "Thread._wait_for_tstate_lock" and len(frames) > 1
    join = frames[1] if is_deeper else frames[0]
    place = graph.location_of(join)
    is_join = _function(graph, join) == "Thread.join" and place is not None
    if not is_join or place is None or not place.file.endswith("threading.py"):
        return None
    return fields.get(join, "self") if fields.get(join, "timeout") is None else None


def _waits_in_call(graph: HeapGraph, fields: Fields, frame: int) -> int | None:
    """The lock or queue in whose own method a thread is, without a time limit (3.14 and later).

    The lock or queue must be waited for: who has got it already is on its way. What the call was given lies
    on top of the value stack: nothing, or True for `blocking`.
    """
    if graph.python_version < _DEPTH_IS_KNOWN:
        return None
    stack = [int(graph.ref_targets[ref]) for ref in graph.references(frame) if graph.kind(ref) == Kind.STACK]
    if stack and stack[-1] == fields.true:
        stack.pop()
    if len(stack) < 2 or graph.type_name(stack[-2]) != "method_descriptor":
        return None
    waited = stack[-1]
    kinds = _CALLS.get((graph.name_of(stack[-2]) or "").rpartition(".")[2], frozenset())
    is_waited_for = bool(int(graph.flags[waited]) & ObjectFlag.WAITED_FOR)
    return waited if is_waited_for and graph.type_name(waited) in kinds else None
