"""Runs programs of `stuck_programs` in one process, under any Python: stuck_runs.py PROGRAMS.json OUT.heap"""

# ruff: noqa: F401  (the programs use what is imported here)
from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import contextvars
import ctypes
import functools
import gc
import itertools
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
import types
import weakref
from pathlib import Path
from typing import Any

import leakscan

with contextlib.suppress(ImportError):
    import anyio
with contextlib.suppress(ImportError):
    import trio

background: set[asyncio.Task[Any]] = set()
kept_list: list[asyncio.Task[Any]] = []
kept_dict: dict[str, asyncio.Task[Any]] = {}
weakly: list[Any] = []
weak_values: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
var: contextvars.ContextVar[Any] = contextvars.ContextVar("var")
local = threading.local()
pools: list[Any] = []
pipes: list[Any] = []


class Awaitable:
    def __init__(self) -> None:
        self.future = asyncio.get_running_loop().create_future()

    def __await__(self) -> Any:
        yield from self.future


class TrioAwaitable:
    """Whoever knows it knows the task to wake."""

    def __await__(self) -> Any:
        self.task = trio.lowlevel.current_task()
        return trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED).__await__()


class Drained(asyncio.streams.FlowControlMixin):
    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.pause_writing()

    async def drain(self) -> None:
        await self._drain_helper()


class Slotted:
    __slots__ = ("__weakref__", "p")


def remember_weakly(p: object) -> None:
    try:
        weakly.append(weakref.ref(p))
    except TypeError:
        weakly.append(p)


def remember_by_value(p: object) -> None:
    try:
        weak_values[id(p)] = p
    except TypeError:
        weakly.append(p)


def keep_task(task: asyncio.Task[Any]) -> None:
    background.add(task)
    task.add_done_callback(background.discard)


def keep(coroutine: Any) -> None:
    keep_task(asyncio.create_task(coroutine))


async def taken(lock: Any) -> Any:
    await lock.acquire()
    return lock


async def taken_by_lost(keep: Any, lock: Any) -> Any:
    """Taken by a task of trio that never gives it back."""

    async def owner(event: Any) -> None:
        await lock.acquire()
        await event.wait()

    keep(owner(trio.Event()))
    await trio.sleep(0.001)
    return lock


async def filled(q: Any) -> Any:
    await q.put(1)
    return q


async def limited(limiter: Any) -> Any:
    await limiter.acquire_on_behalf_of(object())
    return limiter


def full(q: Any) -> Any:
    q.put(1)
    return q


def locked(lock: Any) -> Any:
    lock.acquire()
    return lock


async def held_for(p: object, seconds: float) -> None:
    await asyncio.sleep(seconds)
    str(p)


async def held_by_child(p: object) -> None:
    await asyncio.ensure_future(held_for(p, 1000))


async def other() -> None:
    await asyncio.sleep(1000)


def generator(p: object) -> Any:
    yield
    str(p)


async def async_generator(p: object) -> Any:
    yield
    str(p)


def sleep_with(p: object) -> None:
    time.sleep(1000)
    str(p)


def busy_pool() -> Any:
    if not pools:
        pools.append(concurrent.futures.ThreadPoolExecutor(1))
        pools[0].submit(time.sleep, 1000)
    return pools[0]


def start_thread(function: Any, p: object) -> None:
    thread_of(function, p)


def thread_of(function: Any, *args: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def pipe() -> int:
    r, w = os.pipe()
    pipes.append((r, w))
    return r


free_number = itertools.cycle(range(signal.SIGRTMIN + 1, signal.SIGRTMAX))


def free_signal() -> int:
    return next(free_number)


def raised(p: object) -> Exception:
    try:
        raise ValueError(p)
    except ValueError as error:
        return error


async def main(programs: list[dict[str, str]], out: str) -> None:
    """Ends the process: hundreds of tasks and threads would have to be ended first."""
    try:
        await start_all(programs)
        leakscan.snapshot(out)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


async def start_all(programs: list[dict[str, str]]) -> None:
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(200))
    for program in programs:
        start = started(program, keep, keep_task)
        await contextvars.copy_context().run(asyncio.create_task, start)
    await asyncio.sleep(0.3)


def started(program: dict[str, str], *how_to_keep: Any) -> Any:
    """The coroutine of the program's `start`, in a module of its own."""
    name = f"program_{program['name']}"
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update({**globals(), "__name__": name})
    try:
        exec(compile(program["source"], f"/programs/{program['name']}.py", "exec"), module.__dict__)
    except Exception as error:
        raise RuntimeError(f"{program['name']}\n{program['source']}") from error
    return module.start(*how_to_keep)


async def trio_main(programs: list[dict[str, str]], out: str) -> None:
    async with trio.open_nursery() as nursery:

        def keep_in_nursery(coroutine: Any) -> None:
            nursery.start_soon(lambda: coroutine)

        for program in programs:
            await started(program, keep_in_nursery, None)
        await trio.sleep(0.3)
        leakscan.snapshot(out)
        os._exit(0)


if __name__ == "__main__":
    gc.collect()
    gc.disable()
    given = json.loads(Path(sys.argv[1]).read_text())
    if sys.argv[3:] == ["trio"]:
        trio.run(trio_main, given, sys.argv[2])
    elif len(sys.argv) > 3:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        runner.run(main(given, sys.argv[2]))
    else:
        asyncio.run(main(given, sys.argv[2]))
