"""What `capture` is told of an exception; nothing of it is kept."""

from __future__ import annotations

import importlib
import os
import re
import traceback
from types import TracebackType
from typing import Final

from leakscan.errors import LeakscanError

_MISSING: Final = re.compile(
    r"(\S+)\(\) missing \d+ required (?:positional|keyword-only) arguments?: '(\w+)'.*"
)
_OF_ANOTHER_LOOP: Final = ("Task got bad yield", "must be called from async context")
OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))


def described(error: BaseException) -> dict[str, str]:
    """The fields of an event `error`: of the target's own the traceback, of leakscan's the sentence."""
    if isinstance(error, LeakscanError):
        return {"type": "", "message": error.message, "hint": error.hint, "traceback": ""}
    text = "".join(traceback.format_exception(type(error), error, _targets_part(error.__traceback__)))
    message = text_of(error)
    return {
        "type": type(error).__qualname__,
        "message": message,
        "hint": _hint(error, message),
        "traceback": text,
    }


def _hint(error: BaseException, message: str) -> str:
    """What to write instead, where the failure says that the target is no scenario as it is."""
    # What stands before the function of the target (a task of celery, an actor) takes anything.
    if isinstance(error, TypeError) and (missing := _MISSING.fullmatch(message)) is not None:
        return f"if that is what a run calls: --arg {missing[2]}=VALUE"
    if isinstance(error, SystemExit):
        return (
            "does it read a command line? Start it as a program: -- COMMAND, with --on-call; "
            "or name the function behind it (of click: NAME.callback), with --arg"
        )
    if isinstance(error, RuntimeError) and any(words in message for words in _OF_ANOTHER_LOOP):
        return "a coroutine that is not asyncio's: name a function that runs it, def once(): trio.run(work)"
    return ""


def _targets_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback below the driver, its loop and the import system: what the user wrote."""
    below = trace
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
        if file.startswith((OWN_FOLDER, "<frozen importlib")) or file == importlib.__file__:
            below = trace
    return below


def text_of(error: BaseException) -> str:
    """`str(error)`, whatever the target makes of it."""
    try:
        return str(error)
    except Exception as broken:  # the target's own __str__
        return f"<its __str__ raised {type(broken).__name__}>"
