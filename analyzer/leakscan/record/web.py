"""A web application as target: one run sends it its requests inside the process, without a port or a server.

The driver is of the standard library: the observed process needs nothing for it. It does what a server does:
the lifespan around all runs, one chunk at a time as the client takes them, and `http.disconnect` when the
client goes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from leakscan.errors import CaptureError
from leakscan.record.parameters import parameters_of

if TYPE_CHECKING:
    import asyncio

# Any in this file: an application of somebody's framework, and the messages of its protocol.
Request = Mapping[str, Any]

_ASGI: Final = ("scope", "receive", "send")
_WSGI: Final = ("environ", "start_response")
_HOST: Final = "localhost"
_FAILURES: Final = 400


def web_target(
    name: str, found: Callable[..., Any], requests: Sequence[Request]
) -> tuple[Callable[[], Any], Callable[[], Any] | None]:
    """What one run calls, and what is set up around all runs. CaptureError: it is no application."""
    application, parameters = found, parameters_of(found)
    if parameters is not None and not parameters.required:
        # A factory, as `uvicorn --factory` takes.
        application = found()
        parameters = parameters_of(application)
    required = () if parameters is None else parameters.required
    if required == _ASGI or (len(required) == len(_ASGI) and not isinstance(application, type)):
        asgi = _Asgi(name, application, requests)
        return asgi.run, asgi.lifespan
    if required == _WSGI or (len(required) == len(_WSGI) and not isinstance(application, type)):
        return lambda: _wsgi_run(name, application, requests), None
    raise CaptureError(
        f"{name} is no ASGI or WSGI application: a request cannot be sent to it",
        hint="name the application, or a function without parameters that makes it; a server of another "
        "kind (aiohttp, tornado) is started: --url http://127.0.0.1:8080/path -- python server.py",
    )


class _Asgi:
    """Sends requests to an ASGI application."""

    def __init__(self, name: str, application: Callable[..., Any], requests: Sequence[Request]) -> None:
        self._name = name
        self._application = application
        self._requests = requests
        self._state: dict[str, Any] = {}
        # A loop holds its tasks weakly; a server holds those of its requests until they are done.
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> AsyncIterator[bytes]:
        """The chunks of all responses, one request after the other."""
        for request in self._requests:
            exchange = _Exchange(request)
            task = self._start(exchange)
            try:
                while (chunk := await exchange.next_chunk(task)) is not None:
                    yield chunk
                exchange.leave()
                # Background tasks are the application's last part of the request.
                await _ended(task, exchange)
            finally:
                exchange.leave()
            _check_status(self._name, request, exchange.status)

    def _start(self, exchange: _Exchange) -> asyncio.Task[None]:
        import asyncio

        scope = {**_scope(exchange.request), "state": dict(self._state)}
        task = asyncio.get_running_loop().create_task(
            self._application(scope, exchange.receive, exchange.send)
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def lifespan(self) -> AsyncIterator[None]:
        """Start the application up, and after all runs shut it down; one that knows no lifespan has none."""
        import asyncio

        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        task = asyncio.get_running_loop().create_task(self._application(scope, messages.get, answers.put))
        messages.put_nowait({"type": "lifespan.startup"})
        answer = await _answer(answers, task)
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise CaptureError(
                f"{self._name} failed in its lifespan: {answer.get('message', '')}".rstrip(": "),
                hint="start it with its server to see why",
            )
        yield None
        if answer is not None:
            messages.put_nowait({"type": "lifespan.shutdown"})
            await _answer(answers, task)
        await asyncio.wait({task})


async def _ended(task: asyncio.Task[None], exchange: _Exchange) -> None:
    """Wait for the application. What it raises passes through, unless that is the answer that is expected."""
    try:
        await task
    except Exception:
        if exchange.request["status"] is None:
            raise
        exchange.status = exchange.status or 500


async def _answer(answers: asyncio.Queue[dict[str, Any]], task: asyncio.Task[None]) -> dict[str, Any] | None:
    """What the application says next; None when it ends without a word, as one without a lifespan does."""
    import asyncio

    answer = asyncio.ensure_future(answers.get())
    await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
    if answer.done():
        return answer.result()
    answer.cancel()
    # An exception before the first answer means by the protocol: it has no lifespan.
    if task.done() and not task.cancelled():
        task.exception()
    return None


class _Exchange:
    """One request and its response. `send` waits until the client takes the chunk, as a full socket would."""

    def __init__(self, request: Request) -> None:
        import asyncio

        self.request = request
        self.status = 0
        self._is_body_sent = False
        self._chunk: bytes | None = None
        self._has_come = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if not self._is_body_sent:
            self._is_body_sent = True
            return {"type": "http.request", "body": self.request["body"].encode(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self._is_gone.is_set():
            return  # as uvicorn does: nobody listens
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            if message.get("body"):
                self._has_room.clear()
                self._chunk = bytes(message["body"])
                self._has_come.set()
                await self._has_room.wait()
            if not message.get("more_body") and not self._is_gone.is_set():
                self._has_come.set()

    async def next_chunk(self, task: asyncio.Task[None]) -> bytes | None:
        """None at the end of the response, or of the application."""
        import asyncio

        coming = asyncio.ensure_future(self._has_come.wait())
        try:
            await asyncio.wait({coming, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            coming.cancel()
        if self._chunk is not None:
            chunk, self._chunk = self._chunk, None
            self._has_come.clear()
            self._has_room.set()
            return chunk
        return None

    def leave(self) -> None:
        self._chunk = None
        self._is_gone.set()
        self._has_room.set()


def _scope(request: Request) -> dict[str, Any]:
    path, _, query = request["path"].partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii", "replace"),
        "query_string": query.encode("ascii", "replace"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _headers(request)
        ],
        "client": ("127.0.0.1", 50000),
        "server": (_HOST, 80),
    }


def _headers(request: Request) -> list[tuple[str, str]]:
    given = [(name, value) for name, value in request["headers"]]
    named = {name.lower() for name, _ in given}
    body = request["body"].encode()
    usual = [("Host", _HOST), ("Accept", "*/*")]
    if body:
        usual.append(("Content-Length", str(len(body))))
    return [*((name, value) for name, value in usual if name.lower() not in named), *given]


def _wsgi_run(name: str, application: Callable[..., Any], requests: Sequence[Request]) -> Iterator[bytes]:
    """The chunks of all responses; a response that is not read to its end is closed, as a server does."""
    for request in requests:
        status = 0

        def start_response(line: str, headers: object, failure: Any = None) -> Callable[[bytes], None]:
            nonlocal status
            if failure is not None:
                raise failure[1].with_traceback(failure[2])
            status = int(line.split()[0])
            return lambda _: None

        chunks = application(_environ(request), start_response)
        try:
            yield from chunks
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        _check_status(name, request, status)


def _environ(request: Request) -> dict[str, Any]:
    path, _, query = request["path"].partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": _HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request["body"].encode()),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in _headers(request):
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def _check_status(name: str, request: Request, status: int) -> None:
    """CaptureError: the service refused the request, so that the runs would measure the refusal."""
    expected = request["status"]
    if status == expected or (expected is None and 0 < status < _FAILURES):
        return
    line = f"{request['method']} {request['path']}"
    if status == 0:
        raise CaptureError(f"{name} ended without a response to {line}", hint="see what its code does for it")
    raise CaptureError(
        f"{name} answered {line} with {status}" + (f", not {expected}" if expected is not None else ""),
        hint=f"send what it expects; or, if that answer is what you measure: --request '{line} => {status}'",
    )
