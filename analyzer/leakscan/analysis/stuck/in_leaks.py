"""Those who can never wake, among the survivors of a leak or as all that holds them: `stuck_survivors`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.graph import kernels
from leakscan.analysis.results.waits import Answer, Stuck, StuckSurvivors
from leakscan.analysis.stuck.groups import Waits
from leakscan.heap.graph import U32

_GROUPS_FOLLOWED: Final = 50
"""Each takes one pass over what only they hold."""


def stuck_survivors(waits: Waits, *, objects: U32, heads: U32) -> StuckSurvivors | None:
    """What is stuck in a leak of these objects, named after `heads`. None: nothing is.

    Tasks of before the runs count when the survivors are reached through them alone.
    """
    inside = [int(np.isin(group, objects).sum()) for group in waits.never]
    alone_hold = bool(len(heads)) and bool(waits.alone[heads].all())
    if any(inside):
        groups = tuple(number for number, count in enumerate(inside) if count)
        are_survivors = bool(np.isin(heads, np.concatenate(waits.never)).all())
        return StuckSurvivors(sum(inside), groups, are_survivors, alone_hold)
    if not alone_hold:
        return None
    groups = tuple(
        number for number in range(min(len(waits.never), _GROUPS_FOLLOWED)) if _reach(waits, number, heads)
    )
    count = sum(len(waits.never[number]) for number in groups)
    return StuckSurvivors(count, groups, are_survivors=False, alone_hold=True) if groups else None


def accused(stuck: Stuck) -> Stuck:
    """The same, with the groups of those who never wake only."""
    never = tuple(group for group in stuck.groups if group.answer is Answer.NEVER)
    return replace(
        stuck,
        groups=tuple(
            replace(
                group,
                waits_for_groups=tuple(at for at in group.waits_for_groups if at < len(never)),
            )
            for group in never
        ),
    )


def _reach(waits: Waits, number: int, heads: U32) -> bool:
    starts = waits.starts[number]
    seen = kernels.reachable(waits.life.csr, roots=starts, skip=waits.life.weak, barriers=~waits.alone)
    return bool(seen[heads].any())
