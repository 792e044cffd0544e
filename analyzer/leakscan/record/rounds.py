"""Marks in a program: where a run ends. Outside of `leakscan capture -- COMMAND` they do nothing.

while True:                          for job in jobs:
    handle(queue.get())                  with leakscan.run():
    leakscan.run_done()                      handle(job)
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Final

from leakscan.record.program import VARIABLE

if TYPE_CHECKING:
    from leakscan.record.program.measured import Rounds

_IS_CAPTURED: Final = VARIABLE in os.environ


def run_done() -> None:
    """A run ends here, and the next begins: what it left alive is counted."""
    if _IS_CAPTURED:
        _rounds().done(is_next_begun=True)


def _begin() -> None:
    if _IS_CAPTURED:
        _rounds().begin()


def _done(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
    if _IS_CAPTURED:
        _rounds().done(is_next_begun=False)


class run:
    """The body is one run; what is made between two of them is born in none."""

    # Not methods: each block would make a bound one, which is born in the run and alive at its end.
    __enter__ = staticmethod(_begin)
    __exit__ = staticmethod(_done)


def _rounds() -> Rounds:
    from leakscan.record.program.claims import rounds

    return rounds()
