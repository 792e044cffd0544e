"""Scenarios of every kind, brought to every end, inside this process."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from leakscan.record.scenario import Scenario
from leakscan.record.settle import drain, settle, tasks_in_flight
from leakscan.record.streams import ModeDoesNotApply, is_sync_stream


class Replayed:
    """A stream with as many views as are asked for; remembers how each view ended."""

    def __init__(self, chunks: int = 5) -> None:
        self.chunks = chunks
        self.ends: list[str] = []

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for number in range(self.chunks):
                await asyncio.sleep(0)
                yield number
            self.ends.append("end")
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise


def run_once(call: Callable[[], Any], mode: str, *, chunks: int = 3) -> str:
    scenario = Scenario(call, mode=mode, chunks=chunks)
    try:
        ended = scenario.run()
        settle(scenario)
    finally:
        scenario.close()
    return ended


async def count_to_five() -> AsyncIterator[int]:
    for number in range(5):
        await asyncio.sleep(0)
        yield number


async def count_without_waiting() -> AsyncIterator[int]:
    for number in range(5):
        yield number


def count() -> Iterator[int]:
    yield from range(5)


async def returns_stream() -> Replayed:
    return Replayed()


async def waits_three_times() -> int:
    for _ in range(3):
        await asyncio.sleep(0)
    return 3


def starts_a_task() -> Any:
    return asyncio.get_running_loop().create_task(waits_three_times())


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (int, "function"),
        (count, "function that returns a stream"),
        (waits_three_times, "async function"),
        (returns_stream, "async function that returns an async stream"),
        (count_to_five, "function that returns an async stream"),
        (starts_a_task, "async function"),
    ],
)
def test_the_kind_is_read_off_what_the_first_run_returns(call, kind):
    scenario = Scenario(call, mode="consume", chunks=3)
    scenario.run()
    scenario.close()
    assert scenario.kind == kind


@pytest.mark.parametrize(
    ("mode", "ended", "seen"),
    [
        ("consume", "finished", ["end"]),
        ("abandon", "abandoned", ["GeneratorExit"]),
        ("cancel", "cancelled", ["CancelledError"]),
        ("timeout", "timed out", ["CancelledError"]),
        ("error", "error raised", ["GeneratorExit"]),
        ("concurrent", "finished", ["end", "end"]),
    ],
)
def test_each_mode_ends_an_async_stream_its_way(mode, ended, seen):
    stream = Replayed()
    assert (run_once(lambda: stream, mode), stream.ends) == (ended, seen)


@pytest.mark.parametrize(
    ("mode", "ended"), [("consume", "finished"), ("abandon", "abandoned"), ("error", "error raised")]
)
def test_each_mode_ends_a_generator_its_way(mode, ended):
    assert run_once(count, mode) == ended


@pytest.mark.parametrize("mode", ["abandon", "cancel", "timeout", "error"])
def test_a_stream_shorter_than_the_cut_is_said_to_have_finished_before_it(mode):
    assert run_once(lambda: Replayed(chunks=2), mode) == "finished before the cut"


@pytest.mark.parametrize("mode", ["cancel", "timeout"])
def test_a_stream_that_never_waits_finishes_despite_the_cut(mode):
    assert run_once(count_without_waiting, mode) == "finished despite the cut"


@pytest.mark.parametrize("mode", ["cancel", "timeout"])
def test_a_coroutine_without_a_stream_is_cut_from_its_second_run_on(mode):
    scenario = Scenario(waits_three_times, mode=mode, chunks=1)
    ends = [scenario.run(), scenario.run()]
    scenario.close()
    assert ends == ["finished before the cut", "cancelled"]


@pytest.mark.parametrize(
    ("call", "mode", "reason"),
    [
        (count, "cancel", "cancel needs an async stream; this one is synchronous"),
        (count, "concurrent", "the stream is its own iterator: it has one view"),
        (count_to_five, "concurrent", "the stream is its own iterator: it has one view"),
        (int, "abandon", "abandon needs a stream; the scenario returned int"),
        (waits_three_times, "error", "error needs a stream; the scenario returned int"),
    ],
)
def test_a_mode_without_meaning_says_so(call, mode, reason):
    with pytest.raises(ModeDoesNotApply) as caught:
        run_once(call, mode)
    assert str(caught.value) == reason


def test_an_error_of_the_stream_itself_passes_through_in_every_mode():
    async def breaks() -> AsyncIterator[int]:
        yield 1
        raise LookupError("no more")

    for mode in ("consume", "abandon", "cancel", "timeout", "error"):
        with pytest.raises(LookupError):
            run_once(breaks, mode)


@pytest.mark.parametrize("value", ["text", b"bytes", [1], (1,), {1}, {1: 2}, range(3), bytearray(), 3, None])
def test_containers_are_not_streams(value):
    assert not is_sync_stream(value)


@pytest.mark.parametrize("mode", ["consume", "abandon", "cancel", "timeout", "error", "concurrent"])
def test_nothing_of_a_run_is_alive_after_it(mode):
    streams: list[weakref.ref[Replayed]] = []

    async def stream_once() -> Replayed:
        stream = Replayed()
        streams.append(weakref.ref(stream))
        return stream

    scenario = Scenario(stream_once, mode=mode, chunks=2)
    for _ in range(3):
        scenario.run()
        settle(scenario)
    alive = [reference for reference in streams if reference() is not None]
    scenario.close()
    assert alive == []


def test_each_run_has_a_context_of_its_own():
    import contextvars

    request = contextvars.ContextVar("request", default=0)
    seen = []

    async def handle() -> None:
        seen.append(request.get())
        request.set(7)

    scenario = Scenario(handle, mode="consume", chunks=3)
    scenario.run()
    scenario.run()
    scenario.close()
    assert seen == [0, 0]


def test_all_runs_share_one_loop():
    loops = set()

    async def note_loop() -> None:
        loops.add(id(asyncio.get_running_loop()))

    scenario = Scenario(note_loop, mode="consume", chunks=3)
    for _ in range(3):
        scenario.run()
    scenario.close()
    assert len(loops) == 1


def test_a_backlog_is_given_time_to_drain():
    kept: set[asyncio.Task[None]] = set()

    async def leaves_work_behind() -> None:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(0.05))
        kept.add(task)
        task.add_done_callback(kept.discard)

    scenario = Scenario(leaves_work_behind, mode="consume", chunks=3)
    scenario.run()
    before = tasks_in_flight(scenario.loop)
    drain(scenario, tasks_at_rest=0, at_most_seconds=60)
    after = tasks_in_flight(scenario.loop)
    scenario.close()
    assert (before, after) == (1, 0)


def test_waiting_for_a_backlog_collects_a_big_heap_now_and_then_only():
    big = [[number] for number in range(600_000)]
    spent: list[float] = []

    def hear(phase: str, _: dict[str, int]) -> None:
        now = time.thread_time()
        spent.append(-now if phase == "start" else now)

    async def leaves_work_behind() -> None:
        kept.append(asyncio.get_running_loop().create_task(asyncio.sleep(0.6)))

    kept: list[asyncio.Task[None]] = []
    scenario = Scenario(leaves_work_behind, mode="consume", chunks=3)
    scenario.run()
    gc.callbacks.append(hear)
    try:
        waited, _ = drain(scenario, tasks_at_rest=0, at_most_seconds=60)
    finally:
        gc.callbacks.remove(hear)
    left = tasks_in_flight(scenario.loop)
    scenario.close()
    assert (left, len(big), sum(spent) < 0.4 * waited) == (0, 600_000, True)


HANGS = """
import asyncio
import gc
import time
from leakscan.record.scenario import Scenario
from leakscan.record.settle import drain

kept = []
async def hangs():
    kept.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))

scenario = Scenario(hangs, mode="consume", chunks=3)
scenario.run()
drain(scenario, tasks_at_rest=0, at_most_seconds=3600)
"""


def test_tasks_that_wait_for_nothing_are_not_waited_for():
    # In a process of its own: any thread, such as one of the test runner, could be what a task waits for.
    done = subprocess.run([sys.executable, "-c", HANGS], timeout=300, check=False)
    assert done.returncode == 0


def test_collecting_an_abandoned_stream_lets_its_cleanup_run():
    cleaned = []

    async def stream() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    # In a cycle, so that only the collector can drop it.
    class Cyclic:
        def __init__(self) -> None:
            self.me = self
            self.inner = stream()

        def __aiter__(self) -> AsyncIterator[int]:
            return self.inner

    run_once(Cyclic, "abandon", chunks=1)
    gc.collect()
    assert cleaned == [True]
