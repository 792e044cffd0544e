"""The numbers behind a leak: which objects, which references. Made by `leaks`, judged by the other parts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from leakscan.analysis.results.findings import Path
from leakscan.heap.graph import U16, U32

ANY_LABEL = -1
"""`Slot.label` of keys, indexes and members: one slot of their container for all of them."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where old objects reference new ones under one name: what a person would cut.

    `refs` are references from an old object (or a running frame) to a new one, ascending. `holder` is
    the old object they start at; when the same slot of many old objects is meant
    (`User.profile` of each user) it is the first of `holders`. `label` is a string number for a named
    slot, ANY_LABEL for what is in a container. `pattern` is what `whatif --cut` takes.
    """

    holder: int
    holders: U32
    label: int
    refs: U32
    pattern: str


@dataclass(frozen=True, slots=True)
class LeakGroup:
    """Survivors with the same generalised path.

    `heads` are the survivors that the leak is named after, ascending, `births` their runs (0: unknown).
    `slots` are all independent reasons for which they live: the first is that of `path`, the others
    those of `also_held_by`, then further ones that no path was written for (`path_count_omitted`).
    A leak without slots is held by roots only (a new module, a count held from C). `name` is what
    builtin objects are called by what owns them, "" when the type says enough.
    """

    heads: U32
    births: U16
    type_name: str
    signature: str
    path: Path
    also_held_by: tuple[Path, ...]
    slots: tuple[Slot, ...]
    name: str = ""
    companions: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    """survivors that go with it and are counted in its bytes: what lies in its slots and holds the heads, the
    keys of a table"""
    path_count_omitted: int = 0
    noise: str = ""
    noise_is_bounded: bool = False
    """the library lets go by itself: noise even when it grows run after run"""
