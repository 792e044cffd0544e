"""Births: mark each new block of the object heap with the run that allocated it.

    arm(runs=20)         every living object is now the baseline
    begin_run(1)         ... run the scenario ... begin_own() ... measure ... begin_run(2) ...
    disarm()

`mark_own()` is `begin_own()` without its collection.

Works per process, on the main allocator: one user at a time.
"""

from __future__ import annotations

import os
import sys
from array import array
from typing import Final

from leakscan import _native
from leakscan.errors import MeasuresItself, RecordError

OWN = 0xFFFE
WAITING = 0xFFFD
LAST_RUN_NARROW = 0xFC
LAST_RUN = 0xFFFC
OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""Frames of leakscan are never the site of an allocation: their caller is."""


_TIMES_ARMED: Final = array("q", (0,))


def times_armed() -> int:
    """How often in this process: see `check_still_ours`."""
    return _TIMES_ARMED[0]


def check_still_ours(times: int) -> None:
    """MeasuresItself: somebody has armed since `times_armed` was `times`, what ran in between."""
    if _TIMES_ARMED[0] != times:
        raise MeasuresItself(
            "the run looks for leaks itself (assert_no_leaks), and only one of the two can be recorded",
            hint="measure what it measures, or leave that out of the run",
        )


def arm(*, runs: int | None = None, sites: bool = False) -> None:
    """Start watching; `runs` is how many are expected (None: not known), and sets the shadow's width.

    One byte for each 16 bytes of heap up to 252 runs, two above. `sites` also records the line that
    allocated, at four more bytes. Arming again forgets what was recorded.
    """
    if runs is not None and not 0 <= runs <= LAST_RUN:
        raise RecordError(
            f"births of {runs} runs do not fit: at most {LAST_RUN}", hint="capture fewer runs at a time"
        )
    _TIMES_ARMED[0] += 1
    works = sys.modules.get("leakscan.record.works")
    if works is not None:
        works.follow()
    try:
        _native.births_arm(
            8 if runs is not None and runs <= LAST_RUN_NARROW else 16, sites, os.fsencode(OWN_FOLDER)
        )
    except RuntimeError as error:
        raise RecordError(f"births cannot be recorded: {error}") from None


def begin_run(run: int) -> int:
    """Collect fully, then give `run` to what is allocated from now on; the number of objects collected.

    The collection also empties the interpreter's free lists, so nothing of an earlier run is recycled
    in this one. Raises RecordError when another tool took the allocator hook away: from then on births
    are not known.
    """
    return _boundary(run)


def begin_own() -> int:
    """The same, for what leakscan itself allocates in this thread; other threads stay in the last run."""
    return _boundary(OWN)


def begin_waiting() -> int:
    """The same, for what the program allocates while leakscan waits for it: new, but born in no run."""
    return _boundary(WAITING)


def mark_others_waiting() -> None:
    """What other threads allocate from now on is born while leakscan waits; this one's is leakscan's own."""
    _set(WAITING)
    _set(OWN)


def mark_own() -> None:
    """What this thread allocates from now on is leakscan's own; no collection: for just after one.

    Raises RecordError as `begin_run`, and so do the two beside it.
    """
    _set(OWN)


def go_on(birth: int) -> None:
    """Back from leakscan's own to what was begun before: a run, or WAITING."""
    _set(birth)


def disarm() -> None:
    """Stop. If another tool has wrapped the allocator since, the hook stays and passes calls on."""
    _native.births_disarm()
    works = sys.modules.get("leakscan.record.works")
    if works is not None:
        works.stop()


def _boundary(value: int) -> int:
    try:
        return _native.births_boundary(value)
    except RuntimeError as error:
        raise _lost(error) from None


def _set(value: int) -> None:
    try:
        _native.births_set(value)
    except RuntimeError as error:
        raise _lost(error) from None


def _lost(error: RuntimeError) -> RecordError:
    return RecordError(
        str(error), hint="do not stop tracemalloc or another allocator hook while births are recorded"
    )
