"""Where V8 keeps the properties and items of an object: a part of it, which no census counts.

V8 makes one anew when the object gets more of them, so that their births say nothing. There are no more than
objects that have one: they are no worse than the worst of these.
"""

from __future__ import annotations

from collections.abc import Sequence

from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.judge.ranks import rank
from leakscan.analysis.judge.slots import SlotJudgement, worst_of
from leakscan.heap.kinds import TypeFlag
from leakscan.heap.v8_names import STORES


def judge_stores(
    holding: Holding, populations: Sequence[Sequence[Population]], judged: Sequence[SlotJudgement]
) -> list[SlotJudgement]:
    """The judgements on all slots, those on what V8 keeps for other objects set right. O(populations)."""
    graph = holding.reach.graph
    stores = {row for row, name in enumerate(graph.type_names) if name in STORES}
    if graph.runtime != "v8" or not stores:
        return list(judged)
    is_engine = (graph.types.flags & int(TypeFlag.SYNTHETIC)) != 0
    found = []
    for one, held in zip(judged, populations, strict=True):
        visible = [each for row, each in one.by_type.items() if not is_engine[row]]
        worst = min(visible, key=lambda each: rank(each.verdict), default=None)
        changed = {
            row: worst
            for row, each in one.by_type.items()
            if worst is not None and row in stores and rank(each.verdict) < rank(worst.verdict)
        }
        found.append(worst_of(holding, held, {**one.by_type, **changed}) if changed else one)
    return found
