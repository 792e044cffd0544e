"""What a family hands over: a fragment of a program, and the truth about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WARMUP, RUNS = 3, 20
"""Runs are numbered from 0: the counted ones are WARMUP .. WARMUP + RUNS - 1."""


@dataclass(frozen=True)
class Thing:
    """A class of its own, and how one object is made. `new('k')` is an expression."""

    name: str
    definition: str
    template: str
    wrapped_in: str = ""  # "dict" or "tuple": the object sits in one of these

    def new(self, key: str = "k") -> str:
        return self.template.replace("KEY", key)

    @property
    def types(self) -> dict[str, int]:
        return {self.name: 1, self.wrapped_in: 1} if self.wrapped_in else {self.name: 1}


@dataclass(frozen=True)
class Leak:
    """The truth of one leak.

    `types`: leaked types (last part of the name) and how many there are for each unit of the plan.
    `slots`: one entry for each reference that has to go; each is a list of regular expressions, one of
    which a right cut matches. `alternatives`: other whole cuts that are right, too.
    `cure`: statements that remove the references. `probe`: what grows, where no object of a class of our
    own does. `by_threads`: running threads hold it, so that no reference can be cut: no cut is right, too.
    `plan`: text of an iterable over `i`; its length is the number of units that run i leaves.
    """

    types: dict[str, int]
    slots: list[list[str]]
    cure: str
    plan: str
    probe: str = ""
    alternatives: list[list[list[str]]] = field(default_factory=list)
    slack: int = 1
    counted: bool = True
    by_threads: bool = False

    def births(self) -> list[int]:
        return [len(eval(self.plan, {"i": i})) for i in range(WARMUP, WARMUP + RUNS)]


@dataclass(frozen=True)
class Fragment:
    """Code of one family. It defines `step(i)`; `start()` is called once, in the first run."""

    family: str
    kind: str  # "leak", "innocent", "noise"
    code: str
    step: str = ""
    start: str = ""
    is_async: bool = False
    things: tuple[Thing, ...] = ()
    leak: Leak | None = None
    names: tuple[str, ...] = ()  # of innocents: holders and types that must not be accused
    keeps: int = 0  # most objects of a borrowed type that an innocent holds
    undecidable: bool = False  # 20 runs cannot tell: "inconclusive" is right
    main_only: bool = False  # must run in the main thread and context
    is_global: bool = False  # its holder belongs to the interpreter: cannot live in a function
    wrap: str = ""  # noise: how a synchronous step is called; CALL is `step, i`
    module: str = ""


def word(name: str) -> str:
    """A slot that is known by a name which occurs nowhere else in the program."""
    return rf"(?<!\w){re.escape(name)}(?!\w)"
