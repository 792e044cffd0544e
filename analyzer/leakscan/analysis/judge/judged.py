"""All slots of a snapshot with what was counted of them, and the verdict on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.causes.causes import SlotFacts
from leakscan.analysis.causes.holding import Holding, Population
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.judge.beside import judge_beside
from leakscan.analysis.judge.chains import judge_chains
from leakscan.analysis.judge.passing import judge_stages
from leakscan.analysis.judge.slot_noise import SlotNoise, noise_of_slot
from leakscan.analysis.judge.slots import ACCUMULATING, SlotJudgement, TypeHistory, judge_slot
from leakscan.analysis.judge.stores import judge_stores
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.slots.entries import Entries, count_entries
from leakscan.analysis.slots.slot import Slot


@dataclass(frozen=True, slots=True)
class JudgedSlot:
    """One slot with all that is known of it."""

    slot: Slot
    entries: Entries
    populations: tuple[Population, ...]
    judgement: SlotJudgement
    noise: SlotNoise


def judge_slots(earlier: Earlier, holding: Holding, names: SlotNames, types: TypeHistory) -> list[JudgedSlot]:
    """Every slot judged by itself, in the order of the table."""
    # Those of all slots at once: each question is a pass over the earlier snapshot.
    holders = [slot.holders for slot in holding.table.slots]
    earlier.look_up(np.concatenate(holders) if holders else np.zeros(0, np.uint32))
    earlier.before.forget("addresses")
    numbers = range(len(holding.table.slots))
    entries = [
        count_entries(earlier, holding.reach, names, slot, runs=holding.runs) for slot in holding.table.slots
    ]
    populations = [holding.populations_of_slot(number) for number in numbers]
    alone = [judge_slot(holding, types, at, entries[at], populations[at]) for at in numbers]
    judgements = judge_stages(holding, types, entries, populations, alone)
    judgements = judge_beside(holding, entries, populations, judgements)
    judgements = judge_stores(holding, populations, judgements)
    judgements = judge_chains(holding, populations, judgements)
    return [
        JudgedSlot(
            slot,
            entries[at],
            tuple(populations[at]),
            judgements[at],
            noise_of_slot(holding.reach, slot, fills=judgements[at].verdict is Verdict.FILLING),
        )
        for at, slot in enumerate(holding.table.slots)
    ]


def slot_facts(judged: Sequence[JudgedSlot]) -> SlotFacts:
    """What finding causes needs to know."""
    return SlotFacts(
        accumulates=[one.judgement.verdict in ACCUMULATING for one in judged],
        is_aside=[one.noise.is_bounded for one in judged],
        is_at_hand=[one.noise.is_at_hand for one in judged],
    )
