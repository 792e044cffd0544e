"""Waits for several at once: `gather()`, `wait()` and `TaskGroup`, which end when all of them have ended."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.stuck.fields import Fields
from leakscan.heap.graph import HeapGraph


@dataclass(frozen=True, slots=True)
class Together:
    """Those who are still waited for, and whether one of them that fails ends the wait."""

    pending: tuple[int, ...]
    ends_with_a_failure: bool
    is_gather: bool = False


def waited_together(graph: HeapGraph, fields: Fields, future: int) -> Together | None:
    """Who must end for this future to be done; None: it is no wait for all of several."""
    if graph.type_name(future).endswith("_GatheringFuture"):
        children = fields.get(future, "_children")
        if children is None:
            return None
        pending = _pending(graph, fields, fields.targets(children))
        return Together(pending, not _returns_exceptions(graph, fields, pending), is_gather=True)
    group = fields.task_groups.get(future)
    if group is not None:
        tasks = fields.get(group, "_tasks")
        return Together(tuple(fields.targets(tasks)), True) if tasks is not None else None
    waiting = fields.waits.get(future)
    return _of_wait(graph, fields, waiting) if waiting is not None else None


def callbacks_of(graph: HeapGraph, fields: Fields, future: int) -> list[int]:
    """What a future or task calls when it is done; nothing once it is done."""
    found = []
    for value in fields.all(future, "_callbacks"):
        if graph.type_name(value) != "list":
            found.append(value)
            continue
        for entry in fields.targets(value):
            found += fields.targets(entry) if graph.type_name(entry) == "tuple" else [entry]
    return found


def only_sleeps(graph: HeapGraph, fields: Fields, task: int) -> bool:
    """Whether the task is an `asyncio.sleep()` and nothing else, which cannot fail."""
    coroutine = fields.get(task, "_coro")
    return coroutine is not None and graph.name_of(coroutine) == "sleep" and fields.is_of_asyncio(coroutine)


def _pending(graph: HeapGraph, fields: Fields, futures: list[int]) -> tuple[int, ...]:
    return tuple(each for each in dict.fromkeys(futures) if callbacks_of(graph, fields, each))


def _returns_exceptions(graph: HeapGraph, fields: Fields, children: tuple[int, ...]) -> bool:
    """`return_exceptions` of a gather: a variable of the callback of its children."""
    for callback in callbacks_of(graph, fields, children[0]) if children else []:
        cells = (cell for closure in fields.all(callback, "__closure__") for cell in fields.targets(closure))
        for cell in cells:
            if (graph.name_of(cell) or "") == "return_exceptions":
                return fields.true in fields.targets(cell)
    return False


def _of_wait(graph: HeapGraph, fields: Fields, coroutine: int) -> Together | None:
    """Of an `asyncio.wait()` without a time limit; values are not recorded: modes are known by identity."""
    mode, futures = fields.variable(coroutine, "return_when"), fields.variable(coroutine, "fs")
    if mode is None or futures is None or fields.variable(coroutine, "timeout_handle") is not None:
        return None
    every = fields.of_module("concurrent.futures._base", "ALL_COMPLETED")
    failed = fields.of_module("concurrent.futures._base", "FIRST_EXCEPTION")
    if mode not in (every, failed):
        return None
    return Together(_pending(graph, fields, fields.targets(futures)), mode == failed)
