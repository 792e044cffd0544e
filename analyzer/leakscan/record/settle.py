"""Let what a run has started come to rest, so that work in flight is not counted as retained."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from leakscan.record.scenario import Scenario

if TYPE_CHECKING:
    import asyncio

MOST_CYCLES = 100
MOST_COLLECTIONS = 8
LEAST_CONTROL = 3
"""Rounds without work before the baseline: what measuring allocates for good is older than it then."""
POLL_SECONDS = 0.02
WAIT_PER_COLLECTION = 10.0
"""Of a big heap a collection takes longer than the pause between two looks: this many times as long is waited
before the next one, so that waiting does not keep a core busy."""


async def run_ready_callbacks() -> str:
    """A few turns of the loop, until nothing is ready; never sleeps."""
    import asyncio

    loop = asyncio.get_running_loop()
    for turn in range(MOST_CYCLES):
        await asyncio.sleep(0)
        # uvloop has no `_ready`: a fixed number of turns must do.
        ready = getattr(loop, "_ready", None)
        if turn >= 2 and not ready if ready is not None else turn >= 10:
            break
    return ""


def collect_all(*, at_most: int = MOST_COLLECTIONS) -> int:
    """Collect until that finds nothing more; how many were collected."""
    collected = 0
    for _ in range(at_most):
        found = gc.collect()
        collected += found
        if not found:
            break
    return collected


def settle(scenario: Scenario, *, before_collecting: Callable[[], object] | None = None) -> int:
    """Run pending callbacks and collect until neither finds anything more; how many were collected.

    Both in turn: collecting an abandoned async generator schedules its `aclose` on the loop.
    """
    collected = 0
    for attempt in range(MOST_COLLECTIONS):
        if scenario.loop is not None:
            scenario.run_in_loop(run_ready_callbacks())
        if before_collecting is not None and attempt == 0:
            before_collecting()
        found = gc.collect()
        collected += found
        if not found and not getattr(scenario.loop, "_ready", None):
            break
    return collected


def tasks_in_flight(loop: asyncio.AbstractEventLoop | None) -> int:
    if loop is None:
        return 0
    import asyncio

    return len(asyncio.all_tasks(loop))


def drain(scenario: Scenario, *, tasks_at_rest: int, at_most_seconds: float) -> tuple[float, int]:
    """Give a backlog time to drain: the seconds waited, and what was collected.

    Waits only while something can still happen by itself: tasks of the runs with a timer, a socket
    or a thread behind them, or threads that are freeing memory.
    """
    start = time.monotonic()
    until = start + at_most_seconds
    collected = settle(scenario)
    collected_at = time.monotonic()
    took = collected_at - start
    is_moving = _loop_moves(scenario, tasks_at_rest) if scenario.loop is not None else threads_move()
    is_collected = True
    while True:
        if is_moving() and time.monotonic() < until:
            is_collected = time.monotonic() + POLL_SECONDS - collected_at >= WAIT_PER_COLLECTION * took
            # As long as if it were collected: looks ask whether memory has fallen since the last one.
            _pause(scenario, POLL_SECONDS if is_collected else POLL_SECONDS + took)
        elif is_collected:
            return time.monotonic() - start, collected
        else:
            # What the collector ends may begin something.
            is_collected = True
        if is_collected:
            began = time.monotonic()
            collected += settle(scenario)
            collected_at = time.monotonic()
            took = collected_at - began


def _pause(scenario: Scenario, seconds: float) -> None:
    if scenario.loop is None:
        time.sleep(seconds)
        return
    import asyncio

    async def sleep() -> str:
        await asyncio.sleep(seconds)
        return ""

    scenario.run_in_loop(sleep())


def _loop_moves(scenario: Scenario, tasks_at_rest: int) -> Callable[[], bool]:
    loop = scenario.loop
    blocks_fall = _blocks_fall()

    def is_moving() -> bool:
        selector = getattr(loop, "_selector", None)
        # The loop's own wake-up socket is always registered.
        has_sockets = selector is None or len(selector.get_map()) > 1
        if not (getattr(loop, "_scheduled", True) or has_sockets or has_other_threads()):
            return False
        # A worker that was there from the start works off a queue without one task more.
        return tasks_in_flight(loop) > tasks_at_rest or blocks_fall()

    return is_moving


def threads_move() -> Callable[[], bool]:
    blocks_fall = _blocks_fall()
    return lambda: has_other_threads() and blocks_fall()


def _blocks_fall() -> Callable[[], bool]:
    """Whether memory was given back during the last ten times that one asked."""
    least = sys.getallocatedblocks()
    patience = 10

    def have_fallen() -> bool:
        nonlocal least, patience
        blocks = sys.getallocatedblocks()
        patience = 10 if blocks < least else patience - 1
        least = min(least, blocks)
        return patience > 0

    return have_fallen


def has_other_threads() -> bool:
    import _thread

    return _thread._count() > 0
