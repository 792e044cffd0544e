"""Has an observer see the functions that run: by `sys.monitoring` (3.12), by `sys.settrace` before.

Only functions that change a holder are followed line by line, and only while one is searched for does any
other function cost anything; before 3.12 each call costs a little.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Protocol

from leakscan.record.writers.observer import Observer

# Any in this file: `sys.monitoring`, which the Python that this is checked with does not have.


class CannotFollow(Exception):
    """Somebody else follows already."""


class Follower(Protocol):
    def begin_run(self) -> None:
        """See to the other threads, too: what they do must not be taken for this one's."""

    def search(self, is_wanted: bool) -> None:
        """From the next run on, see every function begin and end, or only those that are followed."""

    def follow(self) -> None:
        """What the observer has found is followed line by line from now on."""


@contextmanager
def following(observer: Observer) -> Iterator[Follower]:
    with (_by_monitoring if sys.version_info >= (3, 12) else _by_tracing)(observer) as follower:
        yield follower


@contextmanager
def _by_monitoring(observer: Observer) -> Iterator[Follower]:
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009
    tool = next((number for number in (4, 3, 5, 2, 1) if monitoring.get_tool(number) is None), None)
    if tool is None:
        raise CannotFollow("other tools use every place that sys.monitoring has")
    follower = _Monitoring(monitoring, tool, observer)
    monitoring.use_tool_id(tool, "leakscan")
    try:
        follower.start()
        yield follower
    finally:
        follower.stop()
        monitoring.free_tool_id(tool)


class _Monitoring:
    def __init__(self, monitoring: Any, tool: int, observer: Observer) -> None:
        self._monitoring, self._tool, self._observer = monitoring, tool, observer
        events = monitoring.events
        self._within = events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
        # Of no function alone: how one is left by an exception.
        self._always = events.PY_UNWIND

    def start(self) -> None:
        observer, events = self._observer, self._monitoring.events

        def begins(*_: object) -> None:
            observer.begins(sys._getframe(1))

        def ends(*_: object) -> None:
            observer.ends(sys._getframe(1))

        def line(code: CodeType, number: int) -> None:
            if code in observer.codes:
                observer.line(sys._getframe(1), number)

        called = ((begins, "PY_START PY_RESUME"), (ends, "PY_RETURN PY_YIELD PY_UNWIND"), (line, "LINE"))
        for function, names in called:
            for name in names.split():
                self._monitoring.register_callback(self._tool, getattr(events, name), function)
        self._monitoring.set_events(self._tool, self._always)

    def begin_run(self) -> None:
        self._observer.suspect_others()
        self.follow()

    def search(self, is_wanted: bool) -> None:
        self._monitoring.set_events(self._tool, self._always | (self._within if is_wanted else 0))

    def follow(self) -> None:
        for code in self._observer.found - self._observer.codes:
            self._monitoring.set_local_events(self._tool, code, self._within | self._monitoring.events.LINE)
        self._observer.codes |= self._observer.found
        self._observer.found.clear()

    def stop(self) -> None:
        events = self._monitoring.events
        self._monitoring.set_events(self._tool, 0)
        for code in self._observer.codes:
            self._monitoring.set_local_events(self._tool, code, 0)
        for name in ("PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "PY_UNWIND", "LINE"):
            self._monitoring.register_callback(self._tool, getattr(events, name), None)


@contextmanager
def _by_tracing(observer: Observer) -> Iterator[Follower]:
    if sys.gettrace() is not None:
        raise CannotFollow("something else traces the program (sys.settrace), a debugger or a coverage tool")
    follower = _Tracing(observer)
    before = threading.gettrace()
    threading.settrace(follower.called)
    sys.settrace(follower.called)
    try:
        yield follower
    finally:
        sys.settrace(None)
        threading.settrace(before)
        follower.is_over = True


class _Tracing:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._is_searching = False
        self.is_over = False

    def begin_run(self) -> None:
        self._observer.mistrust_others()

    def search(self, is_wanted: bool) -> None:
        self._is_searching = is_wanted

    def follow(self) -> None:
        self._observer.codes |= self._observer.found
        self._observer.found.clear()

    def called(self, frame: FrameType, event: str, argument: object) -> Any:
        if self.is_over:
            # Threads that began meanwhile still have it.
            sys.settrace(None)
            return None
        is_followed = frame.f_code in self._observer.codes
        if not (is_followed or self._is_searching):
            return None
        self._observer.begins(frame)
        frame.f_trace_lines = is_followed
        return self._within

    def _within(self, frame: FrameType, event: str, argument: object) -> Any:
        if self.is_over:
            return None
        if event == "line":
            self._observer.line(frame, frame.f_lineno)
        elif event == "return":
            self._observer.ends(frame)
        return self._within
