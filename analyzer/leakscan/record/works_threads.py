"""The work under way, and how it comes into threads, which do not have the context of who started them.

While births are recorded, `ThreadPoolExecutor.submit` and `Thread.start` hand it over; afterwards they are
what they were. Everything else follows the context variable by itself.
"""

from __future__ import annotations

import concurrent.futures.thread
import contextlib
import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Final

from leakscan import _native

current: Final[ContextVar[int]] = ContextVar("leakscan work", default=0)
"""The number of the work under way, 0 for none."""


def leave(token: Token[int]) -> None:
    """What was under way before the variable was set is so again."""
    # A generator may end in another context than it began in: that one has nothing to reset.
    with contextlib.suppress(ValueError):
        current.reset(token)
    _native.works_changed()


class Within:
    """A piece of a work that was counted when it began."""

    __slots__ = ("_number", "_token")

    def __init__(self, number: int) -> None:
        self._number = number
        self._token: Token[int] | None = None

    def __enter__(self) -> None:
        self._token = current.set(self._number)
        _native.works_changed()

    def __exit__(self, *failure: object) -> None:
        if self._token is not None:
            leave(self._token)


class _Carried:
    """A call in a pool's thread, in the work that handed it over; the pool does not copy the context."""

    __slots__ = ("_call", "_number")

    def __init__(self, call: Callable[..., Any], number: int) -> None:
        self._call = call  # Any: the program's own call
        self._number = number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with Within(self._number):
            return self._call(*args, **kwargs)


_pool: Final = concurrent.futures.thread.ThreadPoolExecutor
_thread: Final = threading.Thread
_submit_as_it_was: Final = _pool.submit
_start_as_it_was: Final = _thread.start
_set_ident_as_it_was: Final[Any] = getattr(_thread, "_set_ident", None)  # Any: not public
_starting: Final[dict[int, int]] = {}
"""Threads that are being started, by id, and the work that starts them."""
_SERVANTS: Final = frozenset({"asyncio", "concurrent", "logging", "multiprocessing"})
"""Packages of the library whose threads serve whoever comes: they belong to no work."""


def _submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:  # Any: as in _Carried
    number = current.get()
    return _submit_as_it_was(self, _Carried(fn, number) if number else fn, *args, **kwargs)


def _start(self: threading.Thread) -> None:
    number = current.get()
    if not number or _is_servant(self):
        _start_as_it_was(self)
        return
    _starting[id(self)] = number
    try:
        _start_as_it_was(self)
    finally:
        _starting.pop(id(self), None)


def _is_servant(thread: threading.Thread) -> bool:
    modules = (type(thread).__module__, getattr(getattr(thread, "_target", None), "__module__", None))
    return any(str(module).partition(".")[0] in _SERVANTS for module in modules)


def _set_ident(self: threading.Thread) -> None:
    """The first thing that a thread does: nothing of ours stays on its stack."""
    _set_ident_as_it_was(self)
    number = _starting.pop(id(self), 0)
    if not number:
        return
    own = getattr(self, "_context", None)  # since 3.14, and mostly empty
    if own is None:
        current.set(number)
    elif not own.get(current, 0):
        # One that somebody else is in already is theirs.
        with contextlib.suppress(RuntimeError):
            own.run(current.set, number)
    _native.works_changed()


def follow() -> None:
    """From now on threads do their calls in the work that handed them over. Births are recorded."""
    if _pool.submit is _submit_as_it_was:
        _pool.submit = _submit  # type: ignore[method-assign]  # for as long as births are recorded
    if _set_ident_as_it_was is None:
        return
    if _thread.start is _start_as_it_was:
        _thread.start = _start  # type: ignore[method-assign]  # as above
    if getattr(_thread, "_set_ident", None) is _set_ident_as_it_was:
        _thread._set_ident = _set_ident  # type: ignore[attr-defined]  # as above


def stop() -> None:
    """Births are no longer recorded: leave nothing in the program."""
    # Who has wrapped it since keeps ours, which only passes calls on when there is no work.
    if _pool.submit is _submit:
        _pool.submit = _submit_as_it_was  # type: ignore[method-assign]  # as it was
    if _thread.start is _start:
        _thread.start = _start_as_it_was  # type: ignore[method-assign]  # as it was
    if getattr(_thread, "_set_ident", None) is _set_ident:
        _thread._set_ident = _set_ident_as_it_was  # type: ignore[attr-defined]  # as it was
