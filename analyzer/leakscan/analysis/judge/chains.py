"""Links between the entries of a bounded cache: they are as many as its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.judge.history import Judgement
from leakscan.analysis.judge.ranks import rank
from leakscan.analysis.judge.slots import SlotJudgement, worst_of
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.slot import SlotKind

_BY_A_BOUND: Final = "visible_bound"


def judge_chains(
    holding: Holding, populations: Sequence[Sequence[Population]], judged: Sequence[SlotJudgement]
) -> list[SlotJudgement]:
    """The judgements, where an old link to new ones of its type takes that of the bounded container.

    An LRU cache of dict and list: the list grows with the dict, and is cut when the dict is.
    """
    found = list(judged)
    names, graph = holding.table.slots, holding.reach.graph
    bounded = {
        (slot, row): one
        for slot, judgement in enumerate(judged)
        for row, one in judgement.by_type.items()
        if one.reason == _BY_A_BOUND and names[slot].kind is not SlotKind.NAME
    }
    for slot, judgement in enumerate(judged):
        if not bounded or names[slot].kind is not SlotKind.NAME or judgement.verdict is not Verdict.LEAK:
            continue
        row = int(graph.type_ids[names[slot].holder])
        one = _of_the_container(holding, slot, row, bounded)
        if one is None or row not in judgement.by_type:
            continue
        # What hangs on the links goes with them.
        by_type = {
            at: replace(one, evidence=f"linked with the entries: {one.evidence}")
            if rank(own.verdict) < rank(one.verdict)
            else own
            for at, own in judgement.by_type.items()
        }
        found[slot] = worst_of(holding, populations[slot], by_type)
    return found


def _of_the_container(
    holding: Holding, slot: int, row: int, bounded: dict[tuple[int, int], Judgement]
) -> Judgement | None:
    """The judgement on the container that has all objects which the slot has, if its bound can be seen."""
    for (other, of), one in bounded.items():
        if of == row and not len(np.setdiff1d(holding.sets_of_slot[slot], holding.sets_of_slot[other])):
            return one
    return None
