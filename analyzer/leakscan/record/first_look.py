"""The first look at something that is run again: whether its runs leave nothing, told without a snapshot.

The shadow of births says how many blocks of a run are still alive. What leaves none is done after one or two
runs; only what goes on leaving some, run after run, is worth the price of a measurement.
"""

from __future__ import annotations

import contextlib
import gc
import time
from array import array
from collections.abc import Callable
from typing import Any, Final

from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record import births
from leakscan.record.figures import heap_in_use
from leakscan.record.frozen import Frozen
from leakscan.record.left import Left, left_by

LEAST_MALLOC_BLOCK: Final = 512
"""Smaller ones come from the object allocator, whose blocks are counted one by one."""
MOST_RUNS: Final = 8
ENOUGH_STILL: Final = 2
"""So many runs without growth, when each left something in the place of what an earlier one had left."""
ENOUGH_BY_BLOCKS: Final = 3
"""And so many where more of the runs is alive, but no more blocks in all are."""
SLOW_SECONDS: Final = 0.005
"""Of CPU: for a run that costs more, one without growth is enough."""
RECOGNISED_AFTER: Final = 4
"""So many runs, each with growth, before it is looked whether the same is known of another test."""
_UNKNOWN: Final = -1


def leaves_nothing(run: Callable[[], Any], tidy: Callable[[], Any] = lambda: None) -> bool:  # Any: dropped
    """Whether `what_is_left` is nothing."""
    return what_is_left(run, tidy) is None


def what_is_left(
    run: Callable[[], Any],
    tidy: Callable[[], Any] = lambda: None,
    *,
    is_known: Callable[[Left], bool] = lambda left: False,
) -> Left | None:
    """None when a few calls of `run` show that it leaves nothing that grows. Its exceptions pass through.

    What is made once may stay after the first call. Then one call of which no block is alive is enough, or
    two without growth. `tidy` is called after each: what it makes in the place of what the call made is not
    the call's. What was alive before is kept out of the collections until the end. What `is_known` is told
    after fewer calls.
    """
    # Without births the counts of blocks must do.
    with contextlib.suppress(RecordError):
        births.arm(runs=MOST_RUNS)
    look = _Look(run, tidy)
    try:
        look.frozen.begin()
        return None if look.leaves_nothing(is_known) else look.left
    finally:
        look.frozen.end()
        births.disarm()


class _Look:
    """Counts after each call, in arrays that are there before: a list would grow in what is counted.

    `born`, `living`: blocks of this run and of all runs that are alive; below 0 when births are not known,
    because what is run has taken the allocator hook away or records births itself.
    """

    def __init__(self, run: Callable[[], Any], tidy: Callable[[], Any]) -> None:
        self._run = run
        self._tidy = tidy
        self._is_slow = False
        self.frozen = Frozen()
        self.left = Left()
        self._born, self._living, self._blocks, self._malloc = (
            array("q", bytes(8 * (MOST_RUNS + 1))) for _ in range(4)
        )

    def leaves_nothing(self, is_known: Callable[[Left], bool]) -> bool:
        still = 0
        for number in range(1, MOST_RUNS + 1):
            self._call(number)
            if number == 1:
                continue
            if self._is_more(number):  # or garbage of this run would hide what the next one leaves
                gc.collect()
                self._count(number)
            if self._malloc[number] >= self._malloc[number - 1] + LEAST_MALLOC_BLOCK:
                still = 0
            elif self._born[number] == 0:
                return True
            else:
                still = 0 if self._seems_to_grow(number) else still + 1
            if still >= self._enough(number):
                return True
            if number == RECOGNISED_AFTER and not still:
                self._look_at_objects(number)
                if self.left.types and is_known(self.left):
                    return False
        return self._was_held_by_garbage()

    def _call(self, number: int) -> None:
        _begin(number)
        start = time.process_time()
        self._run()
        self._is_slow = time.process_time() - start > SLOW_SECONDS
        gc.collect(1)
        _begin(births.OWN)
        self._tidy()
        self._count(number)

    def _look_at_objects(self, number: int) -> None:
        if not self.frozen.is_on:
            return
        # Then these are those of the runs.
        objects = gc.get_objects()
        self.frozen.end()
        self.left = left_by(number, objects, blocks=min(self._born[number], self._born[number - 1]))
        del objects
        self.frozen.begin()

    def _was_held_by_garbage(self) -> bool:
        """Whether old objects that are garbage by now held what the runs have made."""
        if not self.frozen.is_on:
            return False
        self.frozen.end()
        gc.collect()
        self._count(MOST_RUNS)
        is_more = self._malloc[MOST_RUNS] >= self._malloc[1] + LEAST_MALLOC_BLOCK
        return not is_more and 0 <= self._living[MOST_RUNS] <= self._living[1]

    def _count(self, number: int) -> None:
        _begin(births.OWN)
        found = _native.births_living(number)
        self._born[number], self._living[number] = (_UNKNOWN, _UNKNOWN) if found is None else found
        del found
        self._blocks[number], self._malloc[number] = heap_in_use()

    def _enough(self, number: int) -> int:
        """So many runs in a row without growth. Blocks alone are no proof: another thread may free some."""
        if self._is_more(number):
            return ENOUGH_BY_BLOCKS
        # The first run is counted with its garbage, so that the second seems to leave less than it does.
        return 1 if self._is_slow and number > 2 else ENOUGH_STILL

    def _is_more(self, number: int) -> bool:
        """More of the runs is alive, as far as births tell."""
        return self._living[number] == _UNKNOWN or self._living[number] > self._living[number - 1]

    def _seems_to_grow(self, number: int) -> bool:
        """More of the runs is alive, and more in all: a table that is made anew takes an old one's place."""
        # PYTHONMALLOC=malloc: the object allocator serves nothing, so that its blocks tell nothing.
        are_more = self._blocks[number] == 0 or self._blocks[number] > self._blocks[number - 1]
        return self._is_more(number) and are_more


def _begin(value: int) -> None:
    """Empty the free lists and mark what is allocated from now on. Collects, where nearly all is frozen."""
    if _native.births_stats()["armed"]:
        _native.births_boundary(value)
