"""The door: pages for whoever knows the token, on this machine only, and for no page of another site.

The standard library's server is enough: one reader, no forms that change anything, nothing kept. It answers
GET and HEAD, below an address that cannot be guessed, when the request names this machine as its host;
another name would be a page elsewhere that was made to resolve to here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from leakscan.errors import LeakscanError

LOOPBACK: Final = "127.0.0.1"
_MOST_PARAMETERS: Final = 20
_QUIET_SECONDS: Final = 30.0
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Answer = tuple[int, str, str, str]
"""(status, content type, text, address to look at instead)"""


class Door:
    """Serves on a free port (or `port`) of the loopback until it is closed; `answer` makes the pages.

    `answer(path, parameters)` is called by one thread at a time. LeakscanError: the port is taken.
    """

    def __init__(
        self, answer: Callable[[str, dict[str, str]], Answer], *, port: int = 0, token: str = ""
    ) -> None:
        self.base = "/" + (token or token_urlsafe(18))
        self._answer, self._lock = answer, threading.Lock()
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), self._handler())
        except OSError as error:
            raise LeakscanError(
                f"cannot listen on {LOOPBACK}:{port}: {error.strerror}",
                hint="leave --port out for a free one",
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{self.base}/"

    def serve(self) -> None:
        """Until `close`, or KeyboardInterrupt."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def close(self) -> None:
        self._server.shutdown()

    def answered(self, host: str, target: str) -> Answer:
        """What a request for `target` gets; who has not the token is told nothing."""
        if host not in (f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"):
            return (421, "text/plain", "This address is for this machine only.\n", "")
        parts = urlsplit(target)
        given = parts.path[: len(self.base)]
        rest = parts.path[len(self.base) :]
        is_ours = compare_digest(given.encode("utf-8", "replace"), self.base.encode()) and rest[:1] in (
            "/",
            "",
        )
        if not is_ours:
            return (404, "text/plain", "Not found.\n", "")
        if not rest:
            return (303, "text/plain", "", f"{self.base}/")
        try:
            pairs = parse_qsl(parts.query, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return (400, "text/plain", "Too many parameters.\n", "")
        with self._lock:
            return self._answer(unquote(rest), dict(pairs))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = _QUIET_SECONDS

            def do_GET(self) -> None:
                self._send(with_body=True)

            def do_HEAD(self) -> None:
                self._send(with_body=False)

            def _send(self, *, with_body: bool) -> None:
                status, kind, text, location = door.answered(self.headers.get("Host", ""), self.path)
                body = text.encode("utf-8", "replace")
                self.send_response(status)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def version_string(self) -> str:
                return "leakscan"

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: addresses hold the token."""

        return Handler
