"""Who waits: suspended tasks of asyncio and trio, and threads that are blocked without a time limit."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.results.waits import Waiter
from leakscan.analysis.stuck.fields import Fields
from leakscan.analysis.stuck.threads import waiting_threads
from leakscan.analysis.stuck.together import callbacks_of, waited_together
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import ObjectFlag

_MAIN_CALLBACKS = frozenset({"_run_until_complete_cb", "done_cb"})


@dataclass(frozen=True, slots=True)
class Actor:
    """One that waits. `waits_for` is what must be done: a future, a task, a lock, or the actor itself.

    `start` is where its own code is read from: the task's coroutine, or a thread's frame. `loop` is -1 when
    there is none.
    """

    waiter: Waiter
    obj: int
    waits_for: int
    start: int
    loop: int = -1
    root: int = -1
    """position of a thread's root"""
    joins: bool = False
    """a thread that waits for the end of another one"""


def find_actors(graph: HeapGraph, fields: Fields) -> list[Actor]:
    """Everything in the snapshot that is known to wait. What the outside wakes by itself is left out."""
    threads = [
        Actor(Waiter.THREAD, each.thread, each.waits_for, each.top, root=each.root, joins=each.joins)
        for each in waiting_threads(graph, fields)
    ]
    return [*_asyncio_tasks(graph, fields), *_trio_tasks(graph, fields), *threads]


def _asyncio_tasks(graph: HeapGraph, fields: Fields) -> list[Actor]:
    found = []
    for task in fields.owners_of_field("_fut_waiter"):
        future, coroutine = fields.get(task, "_fut_waiter"), fields.get(task, "_coro")
        if int(graph.flags[task]) & ObjectFlag.TYPE:
            continue  # the class itself, whose slots have the same names
        # The main task: Ctrl-C cancels it, and so does the end of the program.
        if future is None or coroutine is None or _is_main(graph, fields, task):
            continue
        loop = fields.get(task, "_loop")
        found.append(Actor(Waiter.TASK, task, future, coroutine, -1 if loop is None else loop))
    return found


def tasks_awaited(graph: HeapGraph, fields: Fields, actor: Actor) -> list[int]:
    """The tasks that this one waits for, one or those of a gather, wait or group; the thread it joins."""
    if actor.joins:
        return [actor.waits_for]
    together = waited_together(graph, fields, actor.waits_for)
    if together is not None:
        return [each for each in together.pending if graph.type_name(each).endswith("Task")]
    is_task = graph.type_name(actor.waits_for).endswith("Task") and actor.waits_for != actor.obj
    return [actor.waits_for] if is_task else []


def _is_main(graph: HeapGraph, fields: Fields, task: int) -> bool:
    return any(
        (graph.name_of(callback) or "").rpartition(".")[2] in _MAIN_CALLBACKS
        or "cython_function" in graph.type_name(callback)
        for callback in callbacks_of(graph, fields, task)
    )


def _trio_tasks(graph: HeapGraph, fields: Fields) -> list[Actor]:
    runners = fields.objects_of("trio._core._run.Runner")
    # Ctrl-C is raised in the main task, and the system's own tasks belong to trio.
    spared = {fields.get(runner, name) for runner in runners for name in ("main_task", "init_task")}
    found = []
    for task in fields.objects_of("trio.lowlevel.Task"):
        coroutine = fields.get(task, "coro")
        if task in spared or coroutine is None or fields.get(task, "_abort_func") is None:
            continue
        found.append(Actor(Waiter.TRIO_TASK, task, task, coroutine))
    return found
