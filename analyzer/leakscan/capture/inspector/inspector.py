"""Talk to the inspector of a running Node, Chrome or Deno: snapshots as V8 writes them, by a websocket."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from leakscan.errors import AttachError, UsageError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
STALL_SECONDS: Final = 120.0
"""A heap of some gigabytes is silent for that long between its last figure of progress and its first text."""
_HOW_TO_OPEN: Final = "start it with `node --inspect`, or give its PID: leakscan capture --pid PID"
_PROXIES_OFF: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

OnShare = Callable[[float], None]
"""Called with the share of the heap that V8 has walked, 0 to 1."""


def address_of(text: str) -> str:
    """`HOST:PORT` of a port, HOST:PORT, or a ws:// or http:// address. AttachError when it is none."""
    bare = text.partition("://")[2] or text
    host, _, port = bare.partition("/")[0].rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise AttachError(f"{text!r} is no address", hint="write HOST:PORT, as `node --inspect` printed it")
    return f"{host or '127.0.0.1'}:{port}"


class Inspector:
    """A context: one session, which must stay open between snapshots that are to be compared.

    V8 forgets the ids of its objects when a session ends.
    """

    def __init__(self, address: str) -> None:
        self.address = address_of(address)
        self.browser = ""
        self._open = ExitStack()
        self._socket: ClientConnection | None = None
        self._last = 0

    def __enter__(self) -> Inspector:
        try:
            from websockets.exceptions import WebSocketException
            from websockets.sync.client import connect
        except ImportError as error:
            raise UsageError(
                "--inspect and --pid need the package `websockets`", hint="pip install 'leakscan-heap[node]'"
            ) from error
        url = self._find()
        try:
            connection = connect(
                url,
                open_timeout=CONNECT_SECONDS,
                # While V8 walks its heap nobody answers a ping.
                ping_interval=None,
                max_size=None,
                compression=None,
                proxy=None,
            )
            self._socket = self._open.enter_context(connection)
        except (OSError, WebSocketException) as error:
            raise AttachError(
                f"the inspector at {self.address} does not take a connection: {error}",
                hint="another client may hold it: close its DevTools",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def memory(self) -> dict[str, int]:
        """What the process says of its memory, by the names of the census; less of it outside Node."""
        question = "typeof process === 'object' && process.memoryUsage ? process.memoryUsage() : {}"
        said = self.ask("Runtime.evaluate", expression=question, returnByValue=True, silent=True)
        usage = said.get("result", {}).get("value") or {}
        heap = self.ask("Runtime.getHeapUsage")
        return {
            "rss_bytes": int(usage.get("rss", 0)),
            "heap_total_bytes": int(usage.get("heapTotal", heap.get("totalSize", 0))),
            "heap_used_bytes": int(usage.get("heapUsed", heap.get("usedSize", 0))),
            "external_bytes": int(usage.get("external", 0)),
            "array_buffers_bytes": int(usage.get("arrayBuffers", 0)),
        }

    def pid(self) -> int:
        """Of the process, 0 when it does not say."""
        expression = "typeof process === 'object' ? process.pid : 0"
        said = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, silent=True)
        return int(said.get("result", {}).get("value") or 0)

    def snapshot(self, path: Path, on_share: OnShare) -> float:
        """Write a snapshot as it comes; the seconds until the heap had been walked. AttachError, OSError."""
        start = time.monotonic()
        paused = 0.0
        with path.open("w", encoding="utf-8") as file:
            number = self._send("HeapProfiler.takeHeapSnapshot", {"reportProgress": True})
            while True:
                message = self._receive(STALL_SECONDS)
                if message.get("id") == number:
                    self._check(message, "HeapProfiler.takeHeapSnapshot")
                    return paused
                parameters = message.get("params", {})
                if message.get("method") == "HeapProfiler.addHeapSnapshotChunk":
                    paused = paused or time.monotonic() - start
                    file.write(parameters["chunk"])
                elif message.get("method") == "HeapProfiler.reportHeapSnapshotProgress":
                    on_share(parameters["done"] / max(1, parameters["total"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:  # Any: JSON values
        """The answer to one question. AttachError: none came, or an error."""
        number = self._send(method, parameters)
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            message = self._receive(max(0.0, deadline - time.monotonic()))
            if message.get("id") == number:
                return self._check(message, method)

    def _check(self, message: dict[str, Any], method: str) -> dict[str, Any]:  # Any: JSON values
        if "error" in message:
            text = message["error"].get("message", "")
            raise AttachError(f"the inspector at {self.address} refused {method}: {text}")
        return dict(message.get("result", {}))

    def _send(self, method: str, parameters: dict[str, Any]) -> int:  # Any: JSON values
        from websockets.exceptions import ConnectionClosed

        assert self._socket is not None
        self._last += 1
        try:
            self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        except ConnectionClosed as error:
            raise self._gone() from error
        return self._last

    def _receive(self, seconds: float) -> dict[str, Any]:  # Any: JSON values
        from websockets.exceptions import ConnectionClosed

        assert self._socket is not None
        try:
            return dict(json.loads(self._socket.recv(timeout=seconds)))
        except TimeoutError as error:
            raise AttachError(
                f"the program at {self.address} did not answer",
                hint="it may be busy, or stopped at a breakpoint",
            ) from error
        except ConnectionClosed as error:
            raise self._gone() from error

    def _gone(self) -> AttachError:
        return AttachError(
            f"the program at {self.address} ended the connection",
            hint="it ended, or ran out of memory: a snapshot needs about as much again as the heap",
        )

    def _find(self) -> str:
        version = self._fetch("version")
        self.browser = str(version.get("Browser", "")) if isinstance(version, dict) else ""
        targets = self._fetch("list")
        for target in targets if isinstance(targets, list) else []:
            if isinstance(target, dict) and target.get("webSocketDebuggerUrl"):
                # The host it knows itself by may not be the one it is reached by.
                path = str(target["webSocketDebuggerUrl"]).partition("://")[2].partition("/")[2]
                return f"ws://{self.address}/{path}"
        raise AttachError(
            f"the inspector at {self.address} has nothing to inspect",
            hint="another client may hold it: close its DevTools",
        )

    def _fetch(self, what: str) -> Any:  # Any: JSON
        try:
            with _PROXIES_OFF.open(f"http://{self.address}/json/{what}", timeout=CONNECT_SECONDS) as answer:
                return json.loads(answer.read(1 << 20))
        except (urllib.error.HTTPError, ValueError, json.JSONDecodeError) as error:
            raise AttachError(f"what listens at {self.address} is no inspector", hint=_HOW_TO_OPEN) from error
        except urllib.error.URLError as error:
            raise AttachError(
                f"cannot connect to {self.address}: {error.reason}", hint=_HOW_TO_OPEN
            ) from error
        except OSError as error:
            raise AttachError(f"what listens at {self.address} is no inspector", hint=_HOW_TO_OPEN) from error
