"""An explorer behind a door: what `leakscan open` starts."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Final

from leakscan.explorer.looking import Explorer
from leakscan.explorer.pages import answered, views_page
from leakscan.explorer.rendering import Around, Page, style
from leakscan.explorer.server import Answer, Door
from leakscan.explorer.views import views_of

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path d="M8 1C5 5 3 8 3 10a5 5 0 0 0 10 0c0-2-2-5-5-9z" fill="#a8071a"/></svg>'
)
_INSIDE: Final = re.compile(r"/in/(\d{1,4})(/.*)?")
_MOST_OPEN: Final = 2
"""Heaps that are kept in memory beside the first."""


class Session:
    """Pages about `sources`, at `door.address`. LeakscanError: there is nothing to look at, or no port.

    Modes of a capture, and the snapshots of a series beside the last, have pages of their own below `/in/N/`.
    """

    def __init__(self, sources: list[Path], *, port: int = 0, token: str = "") -> None:
        self._views = views_of(sources)
        self._are_modes = self._views[0].is_mode
        self._explorers = {0: Explorer(list(self._views[0].sources))}
        if not self._are_modes:
            # What cannot be read is said now, not on a page.
            _ = self._explorers[0].heap
        self._ready, self._busy = threading.Event(), threading.Lock()
        self.door = Door(self._answer, port=port, token=token)

    def serve(self) -> None:
        """Answers until it is closed or interrupted; what pages need is computed from the first moment on."""
        threading.Thread(target=self._prepare, daemon=True).start()
        self.door.serve()

    def _prepare(self) -> None:
        first = self._explorers[0]
        try:
            if self._are_modes:
                for number in range(len(self._views)):
                    _ = self._explorer(number).findings
            else:
                first.prepare()
        finally:
            # A page that needs what failed says so itself.
            self._ready.set()
        if not self._are_modes:
            self._prepare_rest(first)
            first.warm()

    def _prepare_rest(self, explorer: Explorer) -> None:
        """Part by part: a page that somebody asks for comes between two of them."""
        rest, is_left = explorer.rest(), True
        while is_left:
            with self._busy:
                is_left = next(rest, False) is None

    def _answer(self, path: str, parameters: dict[str, str]) -> Answer:
        if path.endswith("/style.css"):
            return (200, "text/css", style(), "")
        if path.endswith("/icon.svg"):
            return (200, "image/svg+xml", _ICON, "")
        self._ready.wait()
        with self._busy:
            page = self._page(path, parameters)
        return (page.status, "text/html", page.body, page.location)

    def _page(self, path: str, parameters: dict[str, str]) -> Page:
        base = self.door.base
        if len(self._views) == 1:
            return answered(self._explorers[0], path, parameters, base=base)
        listed_at = "/" if self._are_modes else "/snapshots"
        if path == listed_at:
            told = [self._explorer(number) for number in range(len(self._views))] if self._are_modes else []
            return views_page(self._views, told, base=base)
        inside = _INSIDE.fullmatch(path)
        number = int(inside.group(1)) if inside else 0
        if number >= len(self._views) or (self._are_modes and not inside):
            return Page(303, "", f"{base}/")
        around = Around(self._views[number], base + listed_at)
        if inside is None:
            return answered(self._explorers[0], path, parameters, base=base, around=around)
        explorer = self._explorer(number)
        self._let_go(number)
        rest = inside.group(2) or "/"
        return answered(explorer, rest, parameters, base=f"{base}/in/{number}", around=around)

    def _explorer(self, number: int) -> Explorer:
        if number not in self._explorers:
            self._explorers[number] = Explorer(list(self._views[number].sources))
        return self._explorers[number]

    def _let_go(self, number: int) -> None:
        """Only the views that were looked at last keep their heaps; the first does unless it is a mode."""
        self._explorers[number] = self._explorers.pop(number)
        others = [each for each in self._explorers if each or self._are_modes]
        for each in others[:-_MOST_OPEN]:
            self._explorers[each].forget_heap()
