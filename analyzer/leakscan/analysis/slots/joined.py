"""Slots that are written alike: made one where one line fills them, told apart where several do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.refs import distinct
from leakscan.analysis.slots.slot import INSIDE, Slot, SlotKind

_BRACKETED: Final = re.compile(
    r"\[(?:'(?:[^'\\]|\\.)*'|-?\d+|<[^\]]*>)\]|\.get\((?:'(?:[^'\\]|\\.)*'|-?\d+)\)"
)


def told_apart(slots: Sequence[Slot], names: SlotNames) -> list[Slot]:
    """Functions of one name in several places: each is written with its module, or with what holds it."""
    alike: dict[str, list[int]] = {}
    for number, slot in enumerate(slots):
        if slot.kind is not SlotKind.ROOT:
            alike.setdefault(slot.pattern, []).append(number)
    found = list(slots)
    for pattern, numbers in alike.items():
        codes = {number: names.code_of(slots[number].holder) for number in numbers} if numbers[1:] else {}
        places = {place for place in codes.values() if place is not None}
        if len(places) < 2:
            continue
        in_file = Counter(place.file for place in places)
        for number, place in codes.items():
            is_alone = place is not None and in_file[place.file] == 1
            text = names.told_apart(pattern, slots[number].holder, by_module=is_alone)
            found[number] = replace(slots[number], pattern=text)
    return found


def together(slots: Sequence[Slot]) -> list[Slot]:
    """Slots that are written alike are one; many that differ in a key on the way as well."""
    wild = [_wild(slot.pattern) for slot in slots]
    members: dict[str, set[str]] = {}
    for slot, pattern in zip(slots, wild, strict=True):
        members.setdefault(pattern, set()).add(slot.pattern)
    # Several keys are data; the only one that is filled is a name to look for.
    texts = [min(members[text]) if len(members[text]) == 1 else text for text in wild]
    explaining = {text for slot, text in zip(slots, texts, strict=True) if not slot.is_last_resort}
    merged: dict[tuple[object, ...], list[Slot]] = {}
    for number, (slot, text) in enumerate(zip(slots, texts, strict=True)):
        written = text + INSIDE if slot.is_last_resort and text in explaining else text
        # Roots that only share the word for their kind are not one thing to remove.
        key = (written, number) if slot.kind is SlotKind.ROOT else (written,)
        merged.setdefault(key, []).append(replace(slot, pattern=written))
    return [_joined(group) for group in merged.values()]


def _wild(pattern: str) -> str:
    """`handlers['chunk'][*]` as `handlers[*][*]`."""
    if pattern.startswith(("root ", "context ", "thread ", "type ")):
        return pattern
    return _BRACKETED.sub(lambda found: ".get(*)" if found[0].startswith(".get") else "[*]", pattern)


def _joined(slots: Sequence[Slot]) -> Slot:
    if len(slots) == 1:
        return slots[0]
    best = min(slots, key=lambda slot: (slot.holder < 0, slot.cost, slot.holder))
    is_many = any(slot.kind is SlotKind.ENTRIES for slot in slots) or (
        len({slot.label for slot in slots}) > 1 and best.kind is SlotKind.NAME
    )
    return replace(
        best,
        kind=SlotKind.ENTRIES if is_many else best.kind,
        refs=distinct(np.concatenate([slot.refs for slot in slots])),
        rows=distinct(np.concatenate([slot.rows for slot in slots])),
        holders=distinct(np.concatenate([slot.holders for slot in slots])),
        cost=min(slot.cost for slot in slots),
    )
