"""How a stream ends: each function drives one stream to one kind of end and says how it went.

Cleanup often runs only when a stream finishes; the other ends are where leaks hide. Each function
returns a word for `run.json` (`ended`). Nothing here sleeps: a cut comes after a number of chunks.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

FINISHED = "finished"
FINISHED_EARLY = "finished before the cut"
FINISHED_DESPITE = "finished despite the cut"
MODES = ("consume", "abandon", "cancel", "timeout", "error", "concurrent")


class ModeDoesNotApply(Exception):
    """The scenario has no such end; the message says why."""


class ConsumerError(Exception):
    """What mode `error` raises in the consumer of the stream."""


def is_async_stream(value: object) -> bool:
    return hasattr(type(value), "__aiter__")


def is_sync_stream(value: object) -> bool:
    """Iterators, and iterables that are not containers: those have a length."""
    kind = type(value)
    return hasattr(kind, "__next__") or (hasattr(kind, "__iter__") and not hasattr(kind, "__len__"))


# Any below: chunks are the target's own objects, dropped as they come.


async def consume_async(stream: AsyncIterable[Any], chunks: int) -> str:
    async for _ in stream:
        pass
    return FINISHED


async def abandon_async(stream: AsyncIterable[Any], chunks: int) -> str:
    iterator = aiter(stream)
    for _ in range(chunks):
        try:
            await anext(iterator)
        except StopAsyncIteration:
            return FINISHED_EARLY
    return "abandoned"


async def error_async(stream: AsyncIterable[Any], chunks: int) -> str:
    async def consumer() -> None:
        taken = 0
        async for _ in stream:
            taken += 1
            if taken == chunks:
                raise ConsumerError(f"raised by leakscan after {chunks} chunks (--mode error)")

    try:
        await consumer()
    except ConsumerError:
        return "error raised"
    return FINISHED_EARLY


async def cancel_async(stream: AsyncIterable[Any], chunks: int) -> str:
    """The consumer's task is cancelled; the cancellation arrives where it waits for the next chunk."""
    import asyncio

    taken, is_drained = 0, False

    async def consumer() -> None:
        nonlocal taken, is_drained
        async for _ in stream:
            taken += 1
            if taken == chunks:
                task.cancel()
        is_drained = True

    task = asyncio.get_running_loop().create_task(consumer())
    ended = await end_of_cancelled(task, lambda: taken >= chunks)
    # A task that is cancelled in its last step counts as cancelled up to 3.12, though nothing was cut.
    return FINISHED_DESPITE if is_drained and taken >= chunks else ended


async def end_of_cancelled(task: asyncio.Task[Any], is_cut: Callable[[], bool]) -> str:
    """Wait for a task that is cancelled at some moment, and say how it took it."""
    import asyncio

    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:  # Ctrl-C stops the run itself
        task.cancel()
        raise
    if task.cancelled():
        return "cancelled"
    failure = task.exception()
    if failure is not None and not is_cut():
        raise failure
    if failure is not None:
        return f"raised {type(failure).__name__} after the cut"
    return FINISHED_DESPITE if is_cut() else FINISHED_EARLY


async def timeout_async(stream: AsyncIterable[Any], chunks: int) -> str:
    import asyncio

    loop = asyncio.get_running_loop()
    taken = 0
    try:
        async with asyncio.timeout(None) as deadline:
            async for _ in stream:
                taken += 1
                if taken == chunks:
                    deadline.reschedule(loop.time())
    except TimeoutError:
        if not deadline.expired():
            raise
        return "timed out"
    return FINISHED_DESPITE if taken >= chunks else FINISHED_EARLY


async def concurrent_async(stream: AsyncIterable[Any], chunks: int) -> str:
    import asyncio

    first, second = aiter(stream), aiter(stream)
    if first is second:
        raise ModeDoesNotApply("the stream is its own iterator: it has one view")
    await asyncio.gather(_drain(first), _drain(second))
    return FINISHED


async def _drain(iterator: AsyncIterator[Any]) -> None:
    while True:
        try:
            await anext(iterator)
        except StopAsyncIteration:
            return


def consume_sync(stream: Iterable[Any], chunks: int) -> str:
    for _ in stream:
        pass
    return FINISHED


def abandon_sync(stream: Iterable[Any], chunks: int) -> str:
    iterator = iter(stream)
    for _ in range(chunks):
        try:
            next(iterator)
        except StopIteration:
            return FINISHED_EARLY
    return "abandoned"


def error_sync(stream: Iterable[Any], chunks: int) -> str:
    try:
        for taken, _ in enumerate(stream, 1):
            if taken == chunks:
                raise ConsumerError(f"raised by leakscan after {chunks} chunks (--mode error)")
    except ConsumerError:
        return "error raised"
    return FINISHED_EARLY


def concurrent_sync(stream: Iterable[Any], chunks: int) -> str:
    first, second = iter(stream), iter(stream)
    if first is second:
        raise ModeDoesNotApply("the stream is its own iterator: it has one view")
    open_views: list[Iterator[Any]] = [first, second]
    while open_views:
        for view in tuple(open_views):
            try:
                next(view)
            except StopIteration:
                open_views.remove(view)
    return FINISHED


ASYNC_ENDS = {
    "consume": consume_async,
    "abandon": abandon_async,
    "cancel": cancel_async,
    "timeout": timeout_async,
    "error": error_async,
    "concurrent": concurrent_async,
}
SYNC_ENDS = {
    "consume": consume_sync,
    "abandon": abandon_sync,
    "error": error_sync,
    "concurrent": concurrent_sync,
}
