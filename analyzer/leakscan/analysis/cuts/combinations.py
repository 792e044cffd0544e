"""What every combination of some cuts would free, to be looked up without the heap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.cuts.whatif import Experiments, WhatIf
from leakscan.analysis.graph.garbage import liveness
from leakscan.heap.graph import HeapGraph


def cut_combinations(
    before: HeapGraph, after: HeapGraph, patterns: Sequence[str]
) -> tuple[WhatIf | None, ...]:
    """The answer of `what_if` for each combination; None for the first, which removes nothing.

    Combination `mask` removes the patterns whose bits are set. Each is a search of the whole heap, the
    very one that `leakscan whatif` makes: 2**k of them.
    """
    experiments = Experiments(after, liveness(after), is_new=find_survivors(before, after).is_new)
    answers: list[WhatIf | None] = [None]
    for mask in range(1, 2 ** len(patterns)):
        chosen = list(compress(patterns, ((mask >> bit) & 1 for bit in range(len(patterns)))))
        answers.append(experiments.answer(cut=chosen, with_rest=len(chosen) == 1))
    return tuple(answers)
