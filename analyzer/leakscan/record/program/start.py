"""What a process of a captured program does at its start, when its runs are not marked in it."""

from __future__ import annotations

import _thread
import os
from typing import Any, Final

from leakscan.record.events import CaptureGone
from leakscan.record.program.link import Link
from leakscan.record.program.measured import Rounds

# Any in this file: JSON values.


_START_THREAD: Final = _thread.start_new_thread
"""As it is before a framework of green threads puts its own there."""


def start(config: dict[str, Any]) -> None:
    """Count the calls that were asked for; listen, where `capture` says when a run is over."""
    if config["on_call"]:
        from leakscan.record.program.on_call import count_calls

        count_calls(config["on_call"])
    if config["is_driven"]:
        _listen(config["socket"])
        os.register_at_fork(after_in_child=lambda: _listen(config["socket"]))


def _listen(path: str) -> None:
    try:
        link = Link(path)
    except CaptureGone:
        return
    _START_THREAD(_obey, (link,))


def _obey(link: Link) -> None:
    """Until `capture` is gone: begin and end runs when it says so."""
    counted: Rounds | None = None
    try:
        while True:
            order = link.read()
            if counted is None:
                counted = Rounds(link, order["config"])
            if order["command"] == "begin":
                counted.begin()
            else:
                counted.done(is_next_begun=order["command"] == "next")
            link.write("ready")
    except CaptureGone:
        pass
