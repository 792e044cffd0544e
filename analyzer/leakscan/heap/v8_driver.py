"""Which nodes of a V8 heap are leakscan's own: those of the driver that runs a scenario in Node."""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.heap.graph import U8, StringTable
from leakscan.heap.kinds import ObjectFlag
from leakscan.heap.sparse import SparsePlaces

DRIVER: Final = "/leakscan/record/node/"


def driver_flags(places: SparsePlaces, strings: StringTable, count: int) -> U8:
    """OWN for functions, generators and instances of classes that were written in the driver's files.

    What only they hold is reached by no other path, and so left out as well.
    """
    flags: U8 = np.zeros(count, np.uint8)
    own = [number for number in np.unique(places.files).tolist() if DRIVER in strings[number]]
    flags[places.objects[np.isin(places.files, own)]] = ObjectFlag.OWN
    return flags
