"""Which process counts: the first that marks a run asks `capture` for it."""

from __future__ import annotations

import _thread
import json
import os
import sys
from typing import Any, Final

from leakscan.record.events import CaptureGone
from leakscan.record.program import VARIABLE
from leakscan.record.program.link import Link
from leakscan.record.program.measured import Rounds

_MARKED: Final[list[Rounds]] = []
"""Those of this process, from its first mark on; a forked child finds its parent's and makes its own."""
_ASKING: Final[list[Any]] = []
"""The process that asked to be captured, and its connection."""
_CLAIMS: Final[list[int]] = []
"""The thread that claims just now."""
_LOCK: Final = _thread.allocate_lock()


def rounds() -> Rounds:
    """The runs of this process. In one whose runs are not counted they count nothing."""
    if not (_MARKED and _MARKED[0].is_of_this_process):
        if _CLAIMS and _CLAIMS[0] == _thread.get_ident():
            return Rounds(None, {})  # what the claim itself calls is no run
        with _LOCK:
            if not (_MARKED and _MARKED[0].is_of_this_process):
                _CLAIMS[:] = [_thread.get_ident()]
                try:
                    found = _claimed()
                finally:
                    _CLAIMS.clear()
                if found is None:
                    return Rounds(None, {})
                _MARKED[:] = [found]
    return _MARKED[0]


def _claimed() -> Rounds | None:
    """None as long as another process of the command counts; it may be gone at the next mark."""
    try:
        if not (_ASKING and _ASKING[0] == os.getpid()):
            _ASKING[:] = [os.getpid(), Link(json.loads(os.environ[VARIABLE])["socket"])]
            is_new = True
        else:
            is_new = False
        link = _ASKING[1]
        link.write("claim")
        answer = link.read()
    except (CaptureGone, KeyError, ValueError):
        return Rounds(None, {})
    if "refused" not in answer:
        return Rounds(link, answer["config"])
    if is_new:
        who = f"the runs of process {os.getpid()} are not counted"
        print(f"leakscan: {who}: {answer['refused']}", file=sys.stderr)
    return None
