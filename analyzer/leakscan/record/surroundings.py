"""What stands around the runs: set up before the warm-up, taken down after the last snapshot."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from leakscan.errors import CaptureError
from leakscan.record.opening import may_give_a_callable
from leakscan.record.parameters import checked_call
from leakscan.record.streams import is_async_stream, is_sync_stream
from leakscan.record.target import Target

if TYPE_CHECKING:
    import asyncio

    from leakscan.record.scenario import Scenario

# Any in this file: what the target's functions return.

_FUNCTIONS: Final = (FunctionType, MethodType, functools.partial)


class Surroundings:
    """Opens what a target's set-up gives, on the loop of the runs, and closes it again.

    A set-up is a function, a coroutine function, a generator with one `yield`, or what `contextlib` makes of
    such a generator, each of them sync or async. What is open stays so in one task: some libraries insist
    on being closed by the task that opened them.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._close: list[Callable[[], Any]] = []

    def enter(self, target: Target) -> Callable[[], Any]:
        """Set up, and return what one run calls. Exceptions of the target pass through."""
        if target.is_context or may_give_a_callable(target.call, target.arguments):
            call = self._open(target.call(**target.arguments))
            if not target.is_context and not isinstance(call, _FUNCTIONS):
                # A stream, of one chunk: it is what a run calls.
                del call
                self.leave()
                self._scenario.publish_setup(None)
                return self._around(target)
            if not callable(call):
                raise CaptureError(
                    f"{target.name} is a context manager that gives {type(call).__name__}, not a callable",
                    hint="yield the function that does one run; or name that function, and this as --setup",
                )
            return checked_call(target.name, call, None, {})
        return self._around(target)

    def _around(self, target: Target) -> Callable[[], Any]:
        if target.teardown is not None:
            self._close.append(target.teardown)
        self._scenario.publish_arguments(target.arguments)
        given = self._open(target.setup()) if target.setup is not None else None
        return checked_call(target.name, target.call, given, target.arguments)

    def leave(self) -> None:
        """Take down, the last first. What that raises is shown, and the rest is still taken down."""
        while self._close:
            try:
                returned = self._close.pop()()
                if hasattr(type(returned), "__await__"):
                    self._scenario.run_in_loop(_awaited(returned))
            except Exception:
                print("leakscan: the capture is whole, but its teardown raised", file=sys.stderr)
                traceback.print_exc()

    def _open(self, returned: Any) -> Any:
        if hasattr(type(returned), "__await__"):
            returned = self._scenario.run_in_loop(_awaited(returned))
        if returned is not None:
            self._scenario.publish_setup(returned)
        is_of_contextlib = type(returned).__module__ == "contextlib"
        if is_of_contextlib and hasattr(type(returned), "__aenter__"):
            return self._opened_in_task(returned)
        if is_of_contextlib and hasattr(type(returned), "__enter__"):
            self._close.append(functools.partial(returned.__exit__, None, None, None))
            return returned.__enter__()
        if is_async_stream(returned) and hasattr(returned, "asend"):
            return self._opened_in_task(_generator_as_context(returned))
        if is_sync_stream(returned) and hasattr(returned, "send"):
            self._close.append(functools.partial(next, returned, None))
            return next(returned)
        return returned

    def _opened_in_task(self, context: Any) -> Any:
        keeper = _Keeper()
        value = self._scenario.run_in_loop(keeper.open(context))
        self._close.append(keeper.close)
        return value


class _Keeper:
    """Holds an async context open in a task of its own, which sleeps while the runs use what it gave."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._leave: asyncio.Event | None = None

    async def open(self, context: Any) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()
        self._leave = asyncio.Event()
        self._task = loop.create_task(_keep_open(context, opened, self._leave))
        await asyncio.wait((self._task, opened), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return opened.result()

    async def close(self) -> None:
        assert self._task is not None and self._leave is not None
        self._leave.set()
        await self._task


async def _keep_open(context: Any, opened: asyncio.Future[Any], leave: asyncio.Event) -> None:
    async with context as value:
        opened.set_result(value)
        del value
        await leave.wait()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _generator_as_context(generator: Any) -> Any:
    from contextlib import asynccontextmanager

    return asynccontextmanager(lambda: generator)()
