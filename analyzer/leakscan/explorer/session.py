"""An explorer behind a door: what `leakscan open` starts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from leakscan.explorer.looking import Explorer
from leakscan.explorer.pages import answered, style
from leakscan.explorer.server import Answer, Door

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path d="M8 1C5 5 3 8 3 10a5 5 0 0 0 10 0c0-2-2-5-5-9z" fill="#a8071a"/></svg>'
)


class Session:
    """Pages about `sources`, at `door.address`. LeakscanError: there is nothing to look at, or no port."""

    def __init__(self, sources: list[Path], *, port: int = 0, token: str = "") -> None:
        self.explorer = Explorer(sources)
        self._ready, self._busy = threading.Event(), threading.Lock()
        self.door = Door(self._answer, port=port, token=token)

    def serve(self) -> None:
        """Answers until it is closed or interrupted; what pages need is computed from the first moment on."""
        threading.Thread(target=self._prepare, daemon=True).start()
        self.door.serve()

    def _prepare(self) -> None:
        try:
            self.explorer.prepare()
        finally:
            # A page that needs what failed says so itself.
            self._ready.set()
        self._prepare_rest()
        self.explorer.warm()

    def _prepare_rest(self) -> None:
        """Part by part: a page that somebody asks for comes between two of them."""
        rest, is_left = self.explorer.rest(), True
        while is_left:
            with self._busy:
                is_left = next(rest, False) is None

    def _answer(self, path: str, parameters: dict[str, str]) -> Answer:
        if path == "/style.css":
            return (200, "text/css", style(), "")
        if path == "/icon.svg":
            return (200, "image/svg+xml", _ICON, "")
        self._ready.wait()
        with self._busy:
            page = answered(self.explorer, path, parameters, base=self.door.base)
        return (page.status, "text/html", page.body, page.location)
