"""What a program that does not mark its runs is told: when one begins, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leakscan.capture.program.process import Program


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is asked of the program for so long."""

    seconds: float


Orders = Iterator["str | Wait"]
"""One after the other: `begin` a run, `done` with it, or `next`: done, and the next begins."""
Drive = Callable[[Program], Orders]


def by_time(seconds: float) -> Drive:
    """A run is what happens in so many seconds."""

    def drive(program: Program) -> Orders:
        yield Wait(seconds)
        while True:
            yield "next"
            yield Wait(seconds)

    return drive
