"""Where a store was made: the line, the line of the program that led to it, and in which task."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STANDARD: Final = os.path.dirname(os.__file__) + os.sep
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_DEEPEST: Final = 200
"""Frames that are looked through for one of the program."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line, and where a library has it: the nearest line of the program that it was called from."""

    file: str
    line: int
    function: str
    caller_file: str = ""
    caller_line: int = 0
    caller_function: str = ""
    task: str = ""
    """The coroutine that the asyncio task under way runs; "" where that is leakscan's own driver."""


def place_of(frame: FrameType | None, line: int = 0) -> Place | None:
    """The place where `frame` is, or its `line`; of leakscan's own frames that of who called them."""
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FOLDER):
        frame, line = frame.f_back, 0
    if frame is None:
        return None
    code = frame.f_code
    line = line or frame.f_lineno or code.co_firstlineno
    caller = _nearest_of_the_program(frame) if is_library(code.co_filename) else None
    if caller is None:
        return Place(code.co_filename, line, code.co_qualname, task=_task())
    by = caller.f_code
    called_from = (by.co_filename, caller.f_lineno or by.co_firstlineno, by.co_qualname)
    return Place(code.co_filename, line, code.co_qualname, *called_from, task=_task())


def is_library(file: str) -> bool:
    """Whether it is no file of the program: installed, of the standard library, of no file, or leakscan's."""
    return file.startswith(("<", _STANDARD, OWN_FOLDER)) or any(folder in file for folder in _INSTALLED)


def _nearest_of_the_program(frame: FrameType) -> FrameType | None:
    above = frame.f_back
    for _ in range(_DEEPEST):
        if above is None or not is_library(above.f_code.co_filename):
            break
        above = above.f_back
    return None if above is None or is_library(above.f_code.co_filename) else above


def _task() -> str:
    asyncio: Any = sys.modules.get("asyncio")  # Any: a module that may be half imported
    try:
        task = asyncio.current_task()
    except (AttributeError, RuntimeError):  # nobody imported it; no loop runs in this thread
        return ""
    coroutine = task.get_coro() if hasattr(task, "get_coro") else None
    if getattr(getattr(coroutine, "cr_code", None), "co_filename", "").startswith(OWN_FOLDER):
        return ""
    name = getattr(coroutine, "__qualname__", "")
    return name if type(name) is str else ""
