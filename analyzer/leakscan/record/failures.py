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
OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))


def described(error: BaseException) -> dict[str, str]:
    """The fields of an event `error`: of the target's own the traceback, of leakscan's the sentence."""
    if isinstance(error, LeakscanError):
        return {"type": "", "message": error.message, "hint": error.hint, "traceback": ""}
    text = "".join(traceback.format_exception(type(error), error, _targets_part(error.__traceback__)))
    message = text_of(error)
    # What stands before the function of the target (a task of celery, an actor) takes anything.
    missing = _MISSING.fullmatch(message) if isinstance(error, TypeError) else None
    hint = f"if that is what a run calls: --arg {missing[2]}=VALUE" if missing is not None else ""
    return {"type": type(error).__qualname__, "message": message, "hint": hint, "traceback": text}


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
