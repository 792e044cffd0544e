"""One scenario, run again and again on one event loop, each run brought to the same kind of end."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from leakscan.record import streams

if TYPE_CHECKING:
    import asyncio

# Any in this file: what the target's callable returns.


class Scenario:
    """Calls the target and drives what it returns to the end that `mode` asks for.

    The kind of scenario (function, async function, generator, async generator, stream) is not declared:
    it is read off what the first call returns. A synchronous scenario never sees an event loop.
    `owns_main`: `__main__` is an empty module of leakscan's, not the user's program.
    """

    def __init__(self, call: Callable[[], Any], *, mode: str, chunks: int, owns_main: bool = True) -> None:
        self._call = call
        self._mode = mode
        self._chunks = chunks
        self._owns_main = owns_main
        self._runner: asyncio.Runner | None = None
        self._is_called_in_loop = False
        self._is_plain_coroutine = False
        self.kind = ""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return None if self._runner is None else self._runner.get_loop()

    @property
    def subject(self) -> object:
        """The callable, where nobody but leakscan may hold it; a capture names one that its module holds."""
        return None if self._owns_main else self._call

    def run(self) -> str:
        """Do one run; how it ended. Exceptions of the target pass through, but for a plain `sys.exit()`."""
        try:
            return self._run()
        except SystemExit as left:
            # What a command of click and many a `main()` end with.
            if left.code not in (None, 0):
                raise
            self._name_kind("async function" if self._is_called_in_loop else "", "")
            return "exited"

    def _run(self) -> str:
        if self._is_called_in_loop:
            return str(self.run_in_loop(self._call_and_drive()))
        try:
            returned = self._call()
        except RuntimeError as error:
            if self.kind or "no running event loop" not in str(error):
                raise
            # A plain function that starts tasks: from now on it is called inside the loop.
            self._is_called_in_loop = True
            return str(self.run_in_loop(self._call_and_drive()))
        return self.end(returned)

    def end(self, returned: Any) -> str:
        """Bring what one call returned to the end that `mode` asks for; outside of any event loop."""
        if hasattr(type(returned), "__await__") or streams.is_async_stream(returned):
            self._is_called_in_loop = True
            return str(self.run_in_loop(self.drive(returned)))
        return self._end_sync(returned)

    def use(self, call: Callable[[], Any]) -> None:
        """What the next runs call."""
        self._call = call

    def run_in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run one coroutine on the loop of all runs, in a context of its own as a server gives a request."""
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
            if self._owns_main:
                self._publish_loop(self._runner.get_loop())
        return self._runner.run(coroutine, context=contextvars.copy_context())

    @staticmethod
    def _publish_loop(loop: asyncio.AbstractEventLoop) -> None:
        # What only the loop holds (timers, their tasks) needs a path a person can read: between
        # runs no frame of the program holds the loop, and its policy hides it in a thread local.
        sys.modules["__main__"].event_loop = loop  # type: ignore[attr-defined]  # ours

    def publish_setup(self, opened: object) -> None:
        """Likewise what was set up for all runs, of which otherwise only leakscan has a reference."""
        if self._owns_main:
            sys.modules["__main__"].setup = opened  # type: ignore[attr-defined]  # ours

    def publish_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Likewise lists and dicts that every run is given: one may grow in each."""
        if self._owns_main and any(isinstance(value, (dict, list)) for value in arguments.values()):
            sys.modules["__main__"].arguments = arguments  # type: ignore[attr-defined]  # ours

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()

    async def _call_and_drive(self) -> str:
        return await self.drive(self._call())

    async def drive(self, returned: Any) -> str:
        """The same inside a running loop."""
        kind = ""
        if hasattr(type(returned), "__await__"):
            kind = "async function"
            if self._is_plain_coroutine and self._mode in ("cancel", "timeout"):
                return await self._cut_coroutine(returned)
            returned = await returned
        if streams.is_async_stream(returned):
            self._name_kind(kind, "async stream")
            return await streams.ASYNC_ENDS[self._mode](returned, self._chunks)
        if kind and not streams.is_sync_stream(returned):
            self._is_plain_coroutine = True
            self._name_kind(kind, "")
            if self._mode in ("cancel", "timeout"):
                return streams.FINISHED_EARLY
        return self._end_sync(returned, kind)

    async def _cut_coroutine(self, awaitable: Awaitable[Any]) -> str:
        """Cancel a coroutine that returns no stream after it has waited as often as a stream gives chunks."""
        import asyncio

        async def work() -> None:
            await awaitable

        task = asyncio.get_running_loop().create_task(work())
        for _ in range(self._chunks):
            await asyncio.sleep(0)
        is_cut = not task.done()
        task.cancel()
        return await streams.end_of_cancelled(task, lambda: is_cut)

    def _end_sync(self, returned: Any, kind: str = "") -> str:
        if streams.is_sync_stream(returned):
            self._name_kind(kind, "stream")
            end = streams.SYNC_ENDS.get(self._mode)
            if end is None:
                raise streams.ModeDoesNotApply(f"{self._mode} needs an async stream; this one is synchronous")
            return end(returned, self._chunks)
        self._name_kind(kind, "")
        if self._mode != "consume":
            raise streams.ModeDoesNotApply(
                f"{self._mode} needs a stream; the scenario returned {type(returned).__name__}"
            )
        return "returned"

    def _name_kind(self, function: str, stream: str) -> None:
        if not self.kind:
            function = function or "function"
            self.kind = (
                f"{function} that returns {'an' if stream[0] == 'a' else 'a'} {stream}"
                if stream
                else function
            )
