"""What removing references would free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.cuts.whatif import WhatIf, what_if
from leakscan.analysis.objects.called import find_references
from leakscan.analysis.objects.heap import Heap
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import pair_of
from leakscan.heap.reader import load


def whatif(*snapshots: str | Path, cut: Sequence[str] = (), weak: Sequence[str] = ()) -> WhatIf:
    """What would be freed if the references that match `cut` were gone, and those of `weak` were weak.

    Patterns are written as a report writes them; of the name of an object or a type all references to it
    are meant. Of a capture, or two snapshots, it is also said how much
    of that is new; a capsule holds the answers for the cuts that its report proposes.
    """
    paths = [Path(each) for each in snapshots]
    capsule = capsule_at(paths)
    if capsule is not None:
        return capsule.whatif(cut, weak)
    first, last = pair_of(paths)
    after = load(last)
    is_new = None if first is None else find_survivors(load(first, columns=()), after).is_new
    heap = Heap(after)
    return what_if(
        after, heap.life, cut=cut, weak=weak, is_new=is_new, find=lambda text: find_references(heap, text)
    )
