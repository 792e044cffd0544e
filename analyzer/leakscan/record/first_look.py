"""The first look at something that is run again: whether its runs leave nothing, told without a snapshot.

The shadow of births says how many blocks of a run are still alive. What leaves none is done after one or two
runs; only what goes on leaving some, run after run, is worth the price of a measurement.
"""

from __future__ import annotations

import contextlib
import gc
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
LEAST_FIRST_BYTES: Final = 8192
"""More in the first run alone: what it is the first to need, from stacks to tables of the C library."""
MOST_RUNS: Final = 8
ENOUGH_STILL: Final = 2
"""So many runs in a row without growth: a leak in every second run is none that one of them shows."""
ENOUGH_BY_BLOCKS: Final = 3
"""And so many where more of the runs is alive, but no more blocks in all are."""
RECOGNISED_AFTER: Final = 3
"""So many runs, before it is looked whether what grows is known of another test."""
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

    What is made once may stay after the first call. Two calls in a row without growth are enough; the first
    is one of them only when no block of it is alive. `tidy` is called after each: what it makes in the place
    of what the call made is not the call's. What was alive before is kept out of the collections until the
    end. What `is_known` is told after fewer calls.
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
        self.frozen = Frozen()
        self.left = Left()
        self._born, self._living, self._blocks, self._malloc = (
            array("q", bytes(8 * (MOST_RUNS + 1))) for _ in range(4)
        )

    def leaves_nothing(self, is_known: Callable[[Left], bool]) -> bool:
        still = 0
        self._count(0)
        for number in range(1, MOST_RUNS + 1):
            self._call(number)
            if number > 1 and self._is_more(number):
                # Garbage of this run would hide what the next one leaves.
                gc.collect()
                self._count(number)
            still = still + 1 if self._is_still(number) else 0
            if still >= self._enough(number):
                return True
            if number == RECOGNISED_AFTER and not still:
                self._look_at_objects(number)
                if self.left.types and is_known(self.left):
                    return False
        return self._was_held_by_garbage()

    def _call(self, number: int) -> None:
        _begin(number)
        self._run()
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
        return ENOUGH_BY_BLOCKS if self._is_more(number) else ENOUGH_STILL

    def _is_still(self, number: int) -> bool:
        """Nothing has grown, or more of the runs is alive and no more in all: a table that is made anew."""
        least = LEAST_MALLOC_BLOCK if number > 1 else LEAST_FIRST_BYTES
        if self._malloc[number] >= self._malloc[number - 1] + least:
            return False
        if not self._is_more(number):
            return True
        if number == 1:
            return False
        # PYTHONMALLOC=malloc: the object allocator serves nothing, so that its blocks tell nothing.
        # Two runs back, too: what every second run leaves shows in one of them only.
        return 0 < self._blocks[number] <= min(self._blocks[max(1, number - 2) : number])

    def _is_more(self, number: int) -> bool:
        """More of the runs is alive, as far as births tell.

        More than after any run before: what one run has in the place of another's comes and goes, most of
        all where a server answers in another thread. Where that hides what is added, what is alive of earlier
        runs has become more, and not by what the last one was found to have left.
        """
        living = self._living
        if living[number] == _UNKNOWN:
            return True
        if living[number] > max(living[1:number], default=0):
            return True
        if number <= 2 or living[number] == living[number - 1]:
            return False
        stayed = max(self._stays(each) for each in range(2, number))
        found = max(0, living[number - 1] - max(living[1 : number - 1]))
        return self._stays(number) - stayed > found

    def _stays(self, number: int) -> int:
        return self._living[number] - self._born[number]


def _begin(value: int) -> None:
    """Empty the free lists and mark what is allocated from now on. Collects, where nearly all is frozen."""
    if not _native.births_stats()["armed"]:
        return
    # Only now it may turn out that what was run has taken the hook away.
    with contextlib.suppress(RuntimeError):
        _native.births_boundary(value)
