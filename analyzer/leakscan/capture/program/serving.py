"""A server as target: started, asked once whether it answers, then sent its requests run after run."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from leakscan.capture.program.orders import Drive, Orders, Wait
from leakscan.capture.program.process import Member, Program
from leakscan.capture.scenario.requests import WebRequest, parse_request
from leakscan.errors import CaptureError, UsageError

MODES: Final = ("consume", "abandon", "cancel", "concurrent")
AT_ONCE: Final = 4
"""Requests of one run of mode `concurrent`, for each that was asked for."""
START_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_WORKERS_SECONDS: Final = 0.5
"""After the first response, for the other workers to say that they are there."""
_AFTERWARDS_SECONDS: Final = 0.05
"""After a response, for what the server does then."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_LISTENS: Final = "0A"
_FAILURES: Final = 400


@dataclass(frozen=True, slots=True)
class Server:
    """Where it answers."""

    is_secure: bool
    host: str
    port: int
    path: str

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def server_of(url: str) -> Server:
    """UsageError: it is no address of HTTP."""
    hint = "--url http://127.0.0.1:8000/path"
    try:
        parts: SplitResult = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--url {url}: {error}", hint=hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--url {url} is no address of HTTP", hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_secure = parts.scheme == "https"
    return Server(is_secure, parts.hostname, port or (443 if is_secure else 80), path)


def requests_to(
    server: Server, texts: Sequence[str], of_file: Sequence[WebRequest]
) -> tuple[WebRequest, ...]:
    """`POST {"text": "hi"}` without a path goes to that of the URL; without any request that is got."""
    found = [parse_request(_with_path(text, server.path)) for text in texts]
    found += of_file
    return tuple(found) or (parse_request(f"GET {server.path}"),)


def _with_path(text: str, path: str) -> str:
    first, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if first.upper() in _METHODS and not rest.startswith(("/", "http://", "https://")):
        return f"{first} {path} {rest}".strip()
    return text


def by_requests(
    server: Server,
    requests: Sequence[WebRequest],
    *,
    mode: str,
    chunks: int,
    timeout_seconds: float | None,
) -> Drive:
    """A run sends these requests; streams are consumed, left or cut off after `chunks`, as `mode` says."""
    if mode not in MODES:
        raise UsageError(
            f"--mode {mode} is not for a server: it sees a client that goes",
            hint=f"one of {', '.join(MODES)}",
        )
    client = _Client(server, chunks, timeout_seconds or _REQUEST_SECONDS)

    def drive(program: Program) -> Orders:
        yield from _until_it_answers(server)
        # Workers are up once one of them has answered.
        is_streamed = [client.send(request, "consume") for request in requests]
        if mode == "consume" and any(is_streamed):
            print(
                "the response is a stream, and each is read to its end; --mode abandon leaves early",
                file=sys.stderr,
                flush=True,
            )
        yield Wait(_WORKERS_SECONDS)
        program.captured = _worker(server, program)
        while True:
            if _worker(server, program) is not program.captured:
                raise CaptureError(
                    f"another process answers at {server.address} now",
                    hint="the server has restarted its worker",
                )
            yield "begin"
            if mode == "concurrent":
                client.send_at_once(requests)
            else:
                for request in requests:
                    client.send(request, mode)
            yield Wait(_AFTERWARDS_SECONDS)
            yield "done"

    return drive


def check_is_free(server: Server) -> None:
    """UsageError: something answers there already, which would get the requests."""
    if _answers(server):
        raise UsageError(
            f"something answers at {server.address} already",
            hint="stop it, or take another port; a server that runs already: leakscan attach PID",
        )


def _answers(server: Server) -> bool:
    try:
        with socket.create_connection((server.host, server.port), timeout=5):
            return True
    except OSError:
        return False


def _until_it_answers(server: Server) -> Orders:
    end = time.monotonic() + START_SECONDS
    while not _answers(server):
        if time.monotonic() > end:
            raise CaptureError(
                f"nothing answers at {server.address} after {START_SECONDS:g} seconds",
                hint="does the command listen at that host and port?",
            )
        yield Wait(_LOOK_SECONDS)


class _Client:
    """Sends one request a connection, so that none of them outlives its run."""

    def __init__(self, server: Server, chunks: int, timeout_seconds: float) -> None:
        self._server = server
        self._chunks = chunks
        self._seconds = timeout_seconds

    def send(self, request: WebRequest, mode: str) -> bool:
        """Whether the response came in pieces. CaptureError: it was refused, or not answered in time."""
        line = f"{request.method} {request.path}"
        connection = self._connection()
        try:
            connection.request(
                request.method,
                request.path,
                body=request.body.encode() or None,
                headers={"Connection": "close", **dict(request.headers)},
            )
            response = connection.getresponse()
            is_streamed = response.chunked or "event-stream" in response.getheader("Content-Type", "")
            if mode == "consume":
                while response.read1(1 << 16):
                    pass
            else:
                for _ in range(self._chunks):
                    if not response.read1(1 << 16):
                        break
                if mode == "cancel" and connection.sock is not None:
                    # Zero seconds of lingering: the server gets a reset, not an end.
                    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                response.close()
            _check_status(request, response.status, line)
            return is_streamed
        except TimeoutError:
            raise CaptureError(
                f"{line} was not answered within {self._seconds:g} seconds", hint="a longer --timeout"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise CaptureError(
                f"{line} failed: {type(error).__name__}: {error}", hint="what the server said is above"
            ) from error
        finally:
            connection.close()

    def send_at_once(self, requests: Sequence[WebRequest]) -> None:
        failures: list[CaptureError] = []

        def send(request: WebRequest) -> None:
            try:
                self.send(request, "consume")
            except CaptureError as error:
                failures.append(error)

        threads = [threading.Thread(target=send, args=(each,)) for each in requests for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _connection(self) -> http.client.HTTPConnection:
        server = self._server
        if not server.is_secure:
            return http.client.HTTPConnection(server.host, server.port, timeout=self._seconds)
        # A server of one's own, with a certificate of one's own.
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(server.host, server.port, timeout=self._seconds, context=context)


def _check_status(request: WebRequest, status: int, line: str) -> None:
    if status == request.status or (request.status is None and status < _FAILURES):
        return
    expected = f", not {request.status}" if request.status is not None else ""
    raise CaptureError(
        f"the server answered {line} with {status}{expected}",
        hint=f"send what it expects; or, if that answer is what you measure: --request '{line} => {status}'",
    )


def _worker(server: Server, program: Program) -> Member:
    """The one Python process of the command that takes connections and has no workers of its own."""
    inodes = _listening(server.port)
    parents = {member.parent for member in program.members}
    takers = [
        member
        for member in program.members
        if member.pid and member.pid not in parents and inodes & _sockets_of(member.pid)
    ]
    if len(takers) == 1:
        return takers[0]
    if not takers:
        raise CaptureError(
            f"no Python process of this command answers at {server.address}",
            hint="it must be CPython 3.11 to 3.15, without -I, -E or -S, and start its workers itself",
        )
    raise CaptureError(
        f"{len(takers)} workers answer at {server.address}, and each request goes to one of them",
        hint="start the server with one worker: --workers 1",
    )


def _listening(port: int) -> set[str]:
    """Inodes of the sockets that listen at that port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                row = line.split()
                if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
                    found.add(row[9])
    return found


def _sockets_of(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
