"""Lists beside each other in one object: the keys of a cache, its values, and which key lies where.

Texts are everywhere, so that no census says how many of them there are in one place. The values that came and
went in the same runs have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.graph.refs import source_of
from leakscan.analysis.judge.history import Judgement
from leakscan.analysis.judge.slots import SlotJudgement, worst_of
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.entries import Entries
from leakscan.analysis.slots.slot import Slot
from leakscan.heap.kinds import NO_OBJECT

_STAND_STILL: Final = ("replaced", "stands_still")


def judge_beside(
    holding: Holding,
    entries: Sequence[Entries],
    populations: Sequence[Sequence[Population]],
    judged: Sequence[SlotJudgement],
) -> list[SlotJudgement]:
    """The judgements on all slots; what is recent, and all that is there, goes with the list beside it.

    Both lie in one object, and what there is now was born in exactly the same runs. O(populations of slots).
    """
    owners = [_owner(holding, slot) for slot in holding.table.slots]
    still: dict[tuple[int, tuple[int, ...]], Judgement] = {}
    for owner, held, judgement in zip(owners, populations, judged, strict=True):
        for each in held:
            found = judgement.by_type[each.type_row]
            if owner != NO_OBJECT and each.is_whole and each.births and found.reason in _STAND_STILL:
                still.setdefault((owner, each.births), found)
    names = holding.reach.graph.type_names
    told = []
    for at, (owner, held, judgement) in enumerate(zip(owners, populations, judged, strict=True)):
        changed = {
            each.type_row: still[owner, each.births]
            for each in held
            if (owner, each.births) in still
            and _is_recent(judgement.by_type[each.type_row])
            and _has_only_new(entries[at], names[each.type_row])
        }
        told.append(worst_of(holding, held, {**judgement.by_type, **changed}) if changed else judgement)
    return told


def _owner(holding: Holding, slot: Slot) -> int:
    """What the holder of the slot lies in, NO_OBJECT for a root."""
    if not len(slot.holders):
        return NO_OBJECT
    ref = int(holding.reach.paths.parent_ref[slot.holder])
    return NO_OBJECT if ref == NO_OBJECT else source_of(holding.reach.graph, ref)


def _is_recent(judgement: Judgement) -> bool:
    return judgement.verdict is Verdict.INCONCLUSIVE and judgement.reason == "only_recent"


def _has_only_new(entries: Entries, type_name: str) -> bool:
    before, after, new = entries.by_type.get(type_name, (None, None, 0))
    return bool(before) and after == new
