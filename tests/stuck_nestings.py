"""Waits inside waits, drawn at random, with what is true of each of their tasks worked out from the parts.

A wait is a primitive that somebody or nobody can still reach, or a way to wait for others: for one, for all,
for the first. `stuck_runs.py` runs the programs, as those of `stuck_programs`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stuck_programs import CAN_WAKE, DOUBT, LIVE_PLACES, NEVER, OBJECTS, PRIMITIVES, Program

ANY = "any"
"""Nothing is asked of this task: another one that can wake may cancel it."""
_PLACES = (
    *("list", "timer", "timer_method", "reader", "thread", "pool_queue", "task", "task_of_task"),
    *("done_callback", "contextvar", "weak_value", "weak_ref", "del_in_garbage", "atexit", "generator"),
    *("async_generator", "held_from_c", "exception", "queue_of_worker", "slots", "call_soon_chain"),
)
"""Of LIVE_PLACES those that have room for many of one program."""
_HEAD = (
    OBJECTS
    + """async def via(source, put):
    await source
    put(1)
async def released(source, p):
    async with p: await source
async def stream(source):
    await source
    yield 1
@contextlib.asynccontextmanager
async def manager(source):
    await source
    yield 1
"""
)


@dataclass(frozen=True)
class Nesting:
    """`program`, and what is true of each of its tasks by the name of its outermost function."""

    program: Program
    tasks: dict[str, str]


@dataclass(frozen=True)
class _Wait:
    """`expression` is a coroutine in which the names of `leaves` are free. `only_sleeps`: it cannot fail."""

    expression: str
    truth: str
    leaves: tuple[str, ...] = ()
    only_sleeps: bool = False
    tasks: tuple[tuple[str, str], ...] = ()


def of_one(truth: str) -> str:
    return truth


def of_all(waits: list[_Wait]) -> str:
    """What is true of a wait for all of these that a failure of one ends."""
    truths = {wait.truth for wait in waits}
    if len(truths) == 1:
        return truths.pop()
    if NEVER not in truths:
        return DOUBT
    return NEVER if all(wait.truth == NEVER or wait.only_sleeps for wait in waits) else DOUBT


def of_every(waits: list[_Wait]) -> str:
    """The same where a failure ends nothing."""
    truths = {wait.truth for wait in waits}
    return NEVER if NEVER in truths else truths.pop() if len(truths) == 1 else DOUBT


def of_first(waits: list[_Wait]) -> str:
    truths = {wait.truth for wait in waits}
    return CAN_WAKE if CAN_WAKE in truths else truths.pop() if len(truths) == 1 else DOUBT


_TASK = "asyncio.ensure_future({0})"
_ONE: dict[str, tuple[str, bool]] = {
    # name: (the body around one child, whether the child becomes a task of its own)
    "nested": ("await {0}", False),
    "task": (f"await {_TASK}", True),
    "shield": ("await asyncio.shield({0})", True),
    "gather": ("await asyncio.gather({0})", True),
    "group": ("async with asyncio.TaskGroup() as g: g.create_task({0})", True),
    "wait": (f"await asyncio.wait([{_TASK}])", True),
    "completed": ("for f in asyncio.as_completed([{0}]): await f", True),
    "no_limit": ("async with asyncio.timeout(None): await {0}", False),
    "generator": ("async for _ in stream({0}): pass", False),
    "manager": ("async with manager({0}): pass", False),
    "stack": (
        "async with contextlib.AsyncExitStack() as s: await s.enter_async_context(manager({0}))",
        False,
    ),
    "via_queue": ("q = asyncio.Queue(); keep(via({0}, q.put_nowait)); await q.get()", False),
    "via_event": ("e = asyncio.Event(); keep(via({0}, lambda _: e.set())); await e.wait()", False),
    "via_future": (
        "f = asyncio.get_running_loop().create_future(); keep(via({0}, f.set_result)); await f",
        False,
    ),
    "via_lock": (
        "p = asyncio.Lock(); keep(released({0}, p)); await asyncio.sleep(0); await p.acquire()",
        False,
    ),
    "via_semaphore": (
        "p = asyncio.Semaphore(0); keep(via({0}, lambda _: p.release())); await p.acquire()",
        False,
    ),
    "via_join": (
        "q = asyncio.Queue(); q.put_nowait(1); keep(via({0}, lambda _: q.task_done())); await q.join()",
        False,
    ),
}
_LIMITED = {
    "timeout": "async with asyncio.timeout(1000): await {0}",
    "wait_for": "await asyncio.wait_for({0}, 1000)",
}
_SEVERAL: dict[str, tuple[str, Callable[[list[_Wait]], str]]] = {
    "gather": ("await asyncio.gather({0})", of_all),
    "gather_exceptions": ("await asyncio.gather({0}, return_exceptions=True)", of_every),
    "group": ("async with asyncio.TaskGroup() as g: [g.create_task(c) for c in ({0},)]", of_all),
    "wait": ("await asyncio.wait([asyncio.ensure_future(c) for c in ({0},)])", of_every),
    "wait_failed": (
        "await asyncio.wait([asyncio.ensure_future(c) for c in ({0},)], return_when='FIRST_EXCEPTION')",
        of_all,
    ),
    "wait_first": (
        "await asyncio.wait([asyncio.ensure_future(c) for c in ({0},)], return_when='FIRST_COMPLETED')",
        of_first,
    ),
    "completed": ("for f in asyncio.as_completed([{0}]): await f", of_first),
}


@dataclass
class _Drawn:
    """One program while it is drawn."""

    name: str
    rng: random.Random
    functions: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    numbers: int = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def wait(self, depth: int, lost: float) -> _Wait:
        """One wait, at most this deep; with this share of what it is made of lost."""
        drawn = self.rng.random()
        if depth == 0 or drawn < 0.15:
            return self.leaf(lost)
        if drawn < 0.6:
            return self.around_one(self.rng.choice(sorted(_ONE)), self.wait(depth - 1, lost))
        if drawn < 0.68:
            return self.limited(self.wait(depth - 1, lost))
        several = [self.wait(depth - 1, lost) for _ in range(self.rng.randint(2, 3))]
        return self.around_several(self.rng.choice(sorted(_SEVERAL)), several)

    def leaf(self, lost: float) -> _Wait:
        if self.rng.random() < 0.08:
            return _Wait("asyncio.sleep(1000)", CAN_WAKE, only_sleeps=True)
        number, is_lost = self.number(), self.rng.random() < lost
        made, awaited = PRIMITIVES[self.rng.choice(sorted(PRIMITIVES))]
        leaf = f"p{number}"
        place = "" if is_lost else LIVE_PLACES[self.rng.choice(_PLACES)]
        self.made += [f"p = {made}", *place.splitlines(), f"{leaf} = p"]
        name = f"leaf_{self.name}_{number}"
        self.functions.append(f"async def {name}(p):\n    {awaited}")
        truth = NEVER if is_lost else CAN_WAKE
        return _Wait(f"{name}({leaf})", truth, (leaf,), tasks=((name, truth),))

    def around(self, body: str, truth: str, waits: list[_Wait], kept: Callable[[str], str]) -> _Wait:
        name = f"waiter_{self.name}_{self.number()}"
        leaves = tuple(dict.fromkeys(leaf for wait in waits for leaf in wait.leaves))
        inside = body.format(", ".join(wait.expression for wait in waits))
        self.functions.append(f"async def {name}({', '.join(leaves)}):\n    {inside}")
        below = tuple((task, kept(true)) for wait in waits for task, true in wait.tasks)
        return _Wait(f"{name}({', '.join(leaves)})", truth, leaves, tasks=((name, truth), *below))

    def around_one(self, way: str, wait: _Wait) -> _Wait:
        body, _ = _ONE[way]
        return self.around(body, wait.truth, [wait], lambda true: true)

    def limited(self, wait: _Wait) -> _Wait:
        body = _LIMITED[self.rng.choice(sorted(_LIMITED))]
        return self.around(body, CAN_WAKE, [wait], lambda true: DOUBT)

    def around_several(self, way: str, waits: list[_Wait]) -> _Wait:
        body, rule = _SEVERAL[way]
        truth = rule(waits)
        # One that ends early cancels, or drops, the others.
        is_whole = truth == NEVER or {wait.truth for wait in waits} == {CAN_WAKE}
        return self.around(body, truth, waits, lambda true: true if is_whole else ANY)


def nesting(seed: int) -> Nesting:
    """The program of this seed: two to five waits deep, mostly lost in every second one."""
    rng = random.Random(seed)
    drawn = _Drawn(f"n{seed}", rng)
    wait = drawn.wait(rng.randint(2, 4), rng.choice((0.5, 0.9, 1.0, 1.0)))
    wait = drawn.around("await {0}", wait.truth, [wait], lambda true: true)
    head = _HEAD.format(name=drawn.name)
    source = "\n".join([head, *drawn.functions, "async def start(keep, keep_task):"])
    lines = [*drawn.made, f"keep({wait.expression})", "await asyncio.sleep(0)", "await asyncio.sleep(0)"]
    # A traceback that a place keeps has the frame of `start`.
    lines.append(f"del {', '.join(['p', *wait.leaves])}" if wait.leaves else "")
    # `keep` inside the tasks, too.
    source = "\n".join([source, "    globals()['keep'] = keep", *(f"    {line}" for line in lines)])
    return Nesting(Program(drawn.name, source, wait.truth), dict(wait.tasks))


def wrong_tasks(nested: Nesting, found: Any) -> list[tuple[str, str, list[str]]]:  # Any: a Stuck
    """(task, what is true, what was said) of each wrong answer."""
    said: dict[str, set[str]] = {}
    for group in found.groups:
        said.setdefault(group.name.rpartition(".")[2], set()).add(group.answer.value)
    is_right: dict[str, Callable[[set[str]], bool]] = {
        NEVER: lambda answers: answers == {"never"},
        CAN_WAKE: lambda answers: answers <= {"can-wake"},
        DOUBT: lambda answers: "never" not in answers,
        ANY: lambda answers: True,
    }
    outermost = next(iter(nested.tasks))
    return [
        (task, true, sorted(said.get(task, ())))
        for task, true in nested.tasks.items()
        if (task in said or (task == outermost and true == NEVER))
        and not is_right[true](said.get(task, set()))
    ]
