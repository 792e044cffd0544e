"""Whose request: `leakscan.work` names the work under way, and births carry its number.

    with leakscan.work("POST /chat"): ...      follows `await`, tasks, callbacks and threads
    app = leakscan.AsgiWork(app)               one work for each request, named after method and path
    app = leakscan.WsgiWork(app)
    leakscan.CeleryWork()             in a worker of Celery: one for each task, named after it
    leakscan.TaskWork()               in a running event loop: one for each task outside of any work

This runs in the program itself. As long as no births are recorded it costs two calls for each request, and
changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import Token, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from leakscan import _native
from leakscan.record.works_threads import Within, current, follow, leave, stop

if TYPE_CHECKING:
    import asyncio

__all__ = ["AsgiWork", "CeleryWork", "TaskWork", "WsgiWork", "follow", "route_of", "stop", "work"]

_table: Final = _native.works_open(current)
"""By which a recorder that came from outside finds the variable and the names."""
_numbers: Final[dict[str, int]] = {}
"""One int for each name: a new one for each request would be one more object that lives with its tasks."""
_MOST_NAMES: Final = 65_000
_IDENTITY: Final = re.compile(r"[^/]*(?:\d[^/]*|[^/]{40,})")
_VERSION: Final = re.compile(r"v\d{1,3}")


class work:
    """`with leakscan.work(name):` what is allocated in it is born in the work of that name.

    A name stands for a kind of work: a route, a task, a tenant, a tool. There is room for 65 000; all others
    are counted together. An inner work takes the place of the outer one until it ends.
    """

    __slots__ = ("_name", "_token")

    def __init__(self, name: str) -> None:
        self._name = name
        self._token: Token[int] | None = None

    def __enter__(self) -> None:
        if not _native.works_recorded():
            stop()
            return
        follow()
        number = _number_of(self._name)
        self._token = current.set(number)
        _native.works_begin(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            leave(token)


def _number_of(name: str) -> int:
    number = _numbers.get(name)
    if number is None:
        number = _native.works_number(str(name))
        if len(_numbers) < _MOST_NAMES:
            _numbers[str(name)] = number
    return number


class AsgiWork:
    """An ASGI application whose requests are works. `name(scope)` names one; "" is none.

    By default `POST /users/*/orders`: parts of the path with digits, or of 40 and more characters, are `*`.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]], name: Callable[[Any], str] | None = None) -> None:
        self.app = app  # Any: what a server passes
        self.name = name or _asgi_name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_request = scope["type"] in ("http", "websocket") and _native.works_recorded()
        name = self.name(scope) if is_request else ""
        if not name:
            await self.app(scope, receive, send)
            return
        with work(name):
            await self.app(scope, receive, send)


class WsgiWork:
    """A WSGI application whose requests are works until their body is closed. `name` as in AsgiWork."""

    def __init__(self, app: Callable[..., Iterable[bytes]], name: Callable[[Any], str] | None = None) -> None:
        self.app = app  # Any: what a server passes
        self.name = name or _wsgi_name

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        name = self.name(environ) if _native.works_recorded() else ""
        if not name:
            return self.app(environ, start_response)
        with work(name):
            number = current.get()
            body = self.app(environ, start_response)
        # A list is made already; what makes its parts later makes them in this work, too.
        return body if isinstance(body, (list, tuple)) else _Body(body, number)


class _Body:
    def __init__(self, body: Iterable[bytes], number: int) -> None:
        self._body = body
        self._parts: Iterator[bytes] | None = None
        self._number = number

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with Within(self._number):
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)

    def close(self) -> None:
        with Within(self._number):
            close = getattr(self._body, "close", None)
            if close is not None:
                close()


class CeleryWork:
    """Tasks of Celery are works from now on, in this worker process; `name(task)` names one, "" is none.

    By default the task's own name. Workers that fork (prefork) inherit it; an eager task is a work inside the
    one that calls it.
    """

    def __init__(self, name: Callable[[Any], str] | None = None) -> None:
        from celery import signals  # type: ignore[import-untyped]  # who calls this has Celery

        self.name = name or _celery_name
        # One for each task that runs: an eager task runs inside of another one.
        self._entered: dict[str, work] = {}
        self._signals = ((signals.task_prerun, self._begins), (signals.task_postrun, self._ends))
        for signal, receiver in self._signals:
            signal.connect(receiver, weak=False)

    def stop(self) -> None:
        """Tasks that begin from now on are no works."""
        for signal, receiver in self._signals:
            signal.disconnect(receiver)

    # Any: what Celery passes.
    def _begins(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        name = self.name(task) if _native.works_recorded() else ""
        if name:
            self._entered[task_id] = entered = work(name)
            entered.__enter__()

    def _ends(self, task_id: str = "", **_: Any) -> None:
        entered = self._entered.pop(task_id, None)
        if entered is not None:
            entered.__exit__(None, None, None)


class TaskWork:
    """Tasks of this event loop that begin outside of any work are works; `name(coroutine)` names one.

    By default the name of the coroutine's function, as `poll_feed`. Tasks that such a task starts are of its
    work; "" is no work.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, name: Callable[[Any], str] | None = None
    ) -> None:
        import asyncio

        self.name = name or _coroutine_name  # Any: whatever the program awaits
        self._loop = loop or asyncio.get_running_loop()
        self._task = asyncio.Task
        self._before = self._loop.get_task_factory()
        self._made = self._make
        self._loop.set_task_factory(self._made)

    def stop(self) -> None:
        """Tasks that begin from now on are named no more."""
        if self._loop.get_task_factory() == self._made:
            self._loop.set_task_factory(self._before)

    def _make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        context = options.get("context")
        under_way = current.get() if context is None else context.get(current, 0)
        name = self.name(coroutine) if _native.works_recorded() and not under_way else ""
        if name:
            options["context"] = context = copy_context() if context is None else context
            context.run(_begin_for_good, name)
        if self._before is not None:
            return self._before(loop, coroutine, **options)
        return self._task(coroutine, loop=loop, **options)


def _begin_for_good(name: str) -> None:
    """In a context of its own, which ends with the task."""
    follow()
    number = _number_of(name)
    current.set(number)
    _native.works_begin(number)


def _celery_name(task: Any) -> str:  # Any: a task of Celery
    return str(getattr(task, "name", ""))


def _coroutine_name(coroutine: Any) -> str:  # Any: whatever the program awaits
    name = getattr(coroutine, "__qualname__", "")
    return name if type(name) is str else ""


def _asgi_name(scope: Any) -> str:  # Any: what a server passes
    method = scope.get("method", "WEBSOCKET") if scope["type"] == "http" else "WEBSOCKET"
    return f"{method} {route_of(scope.get('path', ''))}"


def _wsgi_name(environ: Any) -> str:  # Any: what a server passes
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return f"{environ.get('REQUEST_METHOD', 'GET')} {route_of(path)}"


def route_of(path: str) -> str:
    """`/users/17/orders` as `/users/*/orders`."""
    parts = ["*" if _is_identity(part) else part for part in path.split("/")]
    return "/".join(parts) or "/"


def _is_identity(part: str) -> bool:
    return bool(_IDENTITY.fullmatch(part)) and not _VERSION.fullmatch(part)
