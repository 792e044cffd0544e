"""Which step of a path a cut removes, so that every picture of the path can show it."""

from __future__ import annotations

import re
from typing import Final

from leakscan.analysis.results.findings import Leak, Path

_LAST_ENTRY: Final = re.compile(r"[\[{][^\[{]*[\]}]$|\.(?:get|has)\([^()]*\)$")
_LAST_WORD: Final = re.compile(r"[\w$]+(?=\W*$)")


def cut_steps(leak: Leak, path: Path) -> frozenset[int]:
    """Numbers of the steps of `path` whose reference the leak's cut removes.

    A cut is made of references from old objects to new ones, or of attributes of new objects. One that
    frees everything passes through every path; the step is the one that a member's pattern ends with.
    Where it cannot be told (a partial cut, several such steps) nothing is marked.
    """
    if leak.cut is None or leak.cut.frees < leak.cut.of or path.root_kind == "held_from_c":
        return frozenset()
    if leak.growth_bytes:
        # One object, as old as the program perhaps: the cut is the reference to it.
        return frozenset((len(path.steps) - 1,)) if len(leak.cut.members) == 1 else frozenset()
    ends = {_ending(member.pattern) for member in leak.cut.members}
    patterns = {member.pattern for member in leak.cut.members}
    inner = [number for number in _inner_steps(path) if patterns & _attribute_patterns(path, number)]
    if inner:
        return frozenset(inner[:1])
    turns = [
        number
        for number, step in enumerate(path.steps)
        if step.is_new and (number == 0 or not path.steps[number - 1].is_new)
    ]
    if len(turns) != 1 or _ending(path.steps[turns[0]].reference) not in ends:
        return frozenset()
    return frozenset(turns)


def _inner_steps(path: Path) -> list[int]:
    return [number for number in range(1, len(path.steps)) if path.steps[number - 1].is_new]


def _attribute_patterns(path: Path, number: int) -> set[str]:
    """How a pattern may write an attribute: with the owner's class, with or without its module."""
    owner, reference = path.steps[number - 1].type_name, path.steps[number].reference
    return {owner + reference, owner.rpartition(".")[2] + reference}


def _ending(text: str) -> str:
    """The last reference of a pattern or a step: `[*]` for an entry of any kind, else its name."""
    if _LAST_ENTRY.search(text):
        return "[*]"
    word = _LAST_WORD.search(text)
    return word.group() if word else text
