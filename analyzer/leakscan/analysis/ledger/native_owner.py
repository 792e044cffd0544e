"""Growth of native blocks laid at the door of the leak whose objects can account for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakscan.analysis.results.findings import Leak, Verdict
from leakscan.analysis.results.memory import MemoryLedger
from leakscan.wording import count_text, size_text

Owned = tuple[tuple[Leak, ...], MemoryLedger | None]


def with_native_owner(leaks: Sequence[Leak], memory: MemoryLedger | None) -> Owned:
    """The leaks and the ledger, which say whose the native blocks are that go on growing.

    Only objects of compiled modules have blocks that no size counts. When one leak has all that survive, the
    blocks go with it; with several, which one is not known.
    """
    row = memory.row("native") if memory is not None else None
    able = [leak for leak in leaks if leak.verdict is Verdict.LEAK and leak.native_types]
    if memory is None or row is None or not row.goes_on or row.delta <= 0 or not able:
        return tuple(leaks), memory
    if len(able) > 1:
        text = f"they may go with {_listed([_whose(leak) for leak in able], 'or')}"
        return tuple(leaks), replace(memory, advice=(text, *memory.advice))
    owner = replace(able[0], native_bytes=row.delta)
    for_each = f"{size_text(row.delta / owner.count)} for each of the {count_text(owner.count)}"
    text = f"they go with {_whose(owner)}: {for_each}"
    told = tuple(owner if leak is able[0] else leak for leak in leaks)
    return told, replace(memory, advice=(text, *(one for one in memory.advice if one != NOBODY_KNOWS)))


NOBODY_KNOWS = (
    "an extension or library keeps blocks that no object accounts for: `leakscan capture --native` names"
    " the stacks that allocated them"
)
"""What is said when no leak can account for them."""


def _whose(leak: Leak) -> str:
    types = _listed(
        [f"{count_text(count)} {name.rpartition('.')[2]}" for name, count in leak.native_types[:3]]
    )
    return f"leak {leak.signature}, which has {types}"


def _listed(words: Sequence[str], word: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {word} {words[-1]}"
