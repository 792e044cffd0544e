"""The first look at something that is run again: whether its runs leave nothing, told without a snapshot.

The shadow of births says how many blocks of a run are still alive. What leaves none is done after one or two
runs; only what goes on leaving some, run after run, is worth the price of a measurement.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from array import array
from collections.abc import Callable
from enum import Enum
from types import FrameType
from typing import Any, Final

from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record import births
from leakscan.record.bounded import are_in_bounded_caches
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


class Said(Enum):
    """What a look has found so far. `ONE_RUN_MORE`: nothing, if the next run leaves nothing either."""

    NOTHING = "nothing"
    ONE_RUN_MORE = "one run more"
    SOMETHING = "something"


def leaves_nothing(run: Callable[[], Any], tidy: Callable[[], Any] = lambda: None) -> bool:  # Any: dropped
    """Whether a few calls of `run` show that it leaves nothing that grows. Its exceptions pass through."""
    return what_is_left(run, tidy) is None


def what_is_left(
    run: Callable[[], Any],
    tidy: Callable[[], Any] = lambda: None,
    *,
    is_known: Callable[[Left], bool] = lambda left: False,
) -> Left | None:
    """What is known of what stays after each of a few calls; None when nothing does."""
    look = Look(run, tidy, is_known=is_known)
    look.open()
    try:
        return None if look.ask() is Said.NOTHING else look.left
    finally:
        look.close()


class Look:
    """Calls `run` a few times, between `open` and `close`. What `is_known` is told after fewer calls.

    What is made once may stay after the first call. Two calls in a row without growth are enough; the first
    is one of them only when no block of it is alive. `tidy` is called after each: what it makes in the place
    of what the call made is not the call's. What was alive before is kept out of the collections until the
    end. `left`: what is known of what stays.

    Counts after each call, in arrays that are there before: a list would grow in what is counted. `born`,
    `living`: blocks of this run and of all runs that are alive; below 0 when births are not known, because
    what is run has taken the allocator hook away or records births itself. `blocks`: all that are
    alive, where that is asked; 0 elsewhere.
    """

    def __init__(
        self,
        run: Callable[[], Any],
        tidy: Callable[[], Any] = lambda: None,
        *,
        is_known: Callable[[Left], bool] = lambda left: False,
    ) -> None:
        self._run = run
        self._tidy = tidy
        self._is_known = is_known
        self._frozen = Frozen()
        self.left = Left()
        self._number = 0
        self._still = 0
        self._born, self._living, self._blocks, self._malloc = (
            array("q", bytes(8 * (MOST_RUNS + 1))) for _ in range(4)
        )

    def open(self) -> None:
        # Without births the counts of blocks must do.
        with contextlib.suppress(RecordError):
            births.arm(runs=MOST_RUNS)
        self._frozen.begin()
        self._count(0)

    def close(self) -> None:
        """Record no births any more. Nothing when that is so already."""
        self._frozen.end()
        births.disarm()

    def ask(self, *, spares_last: bool = False) -> Said:
        """Call until it is known what the runs leave, or, with `spares_last`, one run before that."""
        make_frames()
        while self._number < MOST_RUNS:
            _begin(self._number + 1)
            self._run()
            self._settle()
            # What has run is left by now, with its frames.
            said = self._count_run()
            if said is not None:
                return said
            if spares_last and self._number < MOST_RUNS and self._still == self._enough() - 1:
                return Said.ONE_RUN_MORE
        return Said.NOTHING if self._was_held_by_garbage() else Said.SOMETHING

    def begin_elsewhere(self) -> None:
        """The next run is made by somebody else: what is allocated from now on is of it."""
        make_frames()
        _begin(self._number + 1)

    def pause_elsewhere(self) -> None:
        """What is allocated from now on is not of that run, until `begin_elsewhere` is called again.

        Called once more, it takes off the free lists what the run has left there since.
        """
        _begin(births.OWN)

    def end_elsewhere(self) -> Said:
        """That run is over. What it says; if more runs are needed for that, they are called."""
        self._settle()
        return self._count_run() or self.ask()

    def _settle(self) -> None:
        gc.collect(1)
        _begin(births.OWN)
        self._tidy()

    def _count_run(self) -> Said | None:
        """Count another run, which has just been made; None: more are needed."""
        number = self._number = self._number + 1
        self._count(number)
        if number > 1 and self._is_more(number):
            # Garbage of this run would hide what the next one leaves.
            gc.collect()
            self._count(number)
        self._still = self._still + 1 if self._is_still(number) else 0
        if self._still >= self._enough():
            return Said.NOTHING
        if number == RECOGNISED_AFTER and not self._still and self._frozen.is_on:
            return self._recognised(number)
        return None

    def _recognised(self, number: int) -> Said | None:
        """What is known already of what these runs have left."""
        # Of the runs alone, as long as all others are left out.
        objects = gc.get_objects()
        self._frozen.end()
        is_bounded = self._is_bounded(number, objects)
        if not is_bounded:
            blocks = min(self._born[number], self._born[number - 1])
            self.left = left_by(number, objects, blocks=blocks)
        del objects
        self._frozen.begin()
        if is_bounded:
            return Said.NOTHING
        return Said.SOMETHING if self.left.types and self._is_known(self.left) else None

    def _is_bounded(self, number: int, objects: list[Any]) -> bool:
        """Whether all that the runs after the first have left lies in caches that have a bound."""
        if self._malloc[number] - self._malloc[1] >= LEAST_FIRST_BYTES:
            return False
        stayed = 0
        for each in range(2, number + 1):
            found = _native.births_living(each)
            if found is None:
                return False
            stayed += found[0]
        return are_in_bounded_caches(2, number, blocks=stayed, ours=objects)

    def _was_held_by_garbage(self) -> bool:
        """Whether old objects that are garbage by now held what the runs have made."""
        if not self._frozen.is_on:
            return False
        self._frozen.end()
        gc.collect()
        self._count(MOST_RUNS)
        is_more = self._malloc[MOST_RUNS] >= self._malloc[1] + LEAST_MALLOC_BLOCK
        return not is_more and 0 <= self._living[MOST_RUNS] <= self._living[1]

    def _count(self, number: int) -> None:
        _begin(births.OWN)
        found = _native.births_living(number)
        self._born[number], self._living[number] = (_UNKNOWN, _UNKNOWN) if found is None else found
        # Counting them reads the head of each pool of the heap: only where they may be needed.
        self._blocks[number] = sys.getallocatedblocks() if found is None or found[1] else 0
        del found
        self._malloc[number] = heap_in_use()

    def _enough(self) -> int:
        """So many runs in a row without growth. Blocks alone are no proof: another thread may free some."""
        return ENOUGH_BY_BLOCKS if self._is_more(self._number) else ENOUGH_STILL

    def _is_still(self, number: int) -> bool:
        """Nothing has grown, or more of the runs is alive and no more in all: a table that is made anew."""
        if self._malloc[number] >= self._most_malloc(number):
            return False
        if not self._is_more(number):
            return True
        if number == 1:
            return False
        # PYTHONMALLOC=malloc: the object allocator serves nothing, so that its blocks tell nothing.
        # Two runs back, too: what every second run leaves shows in one of them only.
        return 0 < self._blocks[number] <= min(self._blocks[max(1, number - 2) : number])

    def _most_malloc(self, number: int) -> int:
        """So many bytes are growth. Compared with all runs before: some swing between two levels."""
        if number == 1:
            return self._malloc[0] + LEAST_FIRST_BYTES
        return max(self._malloc[1:number]) + LEAST_MALLOC_BLOCK

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


def make_frames() -> None:
    """Have made the frame objects of all that is running: a run that looks at its callers leaves them."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        frame = frame.f_back


def _begin(value: int) -> None:
    """Empty the free lists and mark what is allocated from now on. Collects, where nearly all is frozen."""
    if not _native.births_stats()["armed"]:
        return
    # Only now it may turn out that what was run has taken the hook away.
    with contextlib.suppress(RuntimeError):
        _native.births_boundary(value)
