"""Which line changed a holder: read again wherever a function begins, ends, or goes to its next line.

First all functions are followed, without their lines, to find those that change a holder (`is_searching`);
between the runs the lines of these alone are. A change is that of a line only where nothing else can have
made it since the line began: not another thread, nor code that is not followed. What else changed a holder is
counted as unexplained, and searched for in the next run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, Final

from leakscan.record.writers.places import OWN_FOLDER, Place, is_library, place_of
from leakscan.record.writers.probes import Probe
from leakscan.record.writers.stores import Stores


def _harmless(look: Callable[..., None]) -> Callable[..., None]:
    """A look into the program that fails is none: its error would be raised in the line that is looked at."""

    def looked(self: Observer, *where: object) -> None:
        try:
            look(self, *where)
        except Exception:  # a holder that another thread changes while it is read, a `__len__` of the program
            self.unexplained += 1

    return looked


_SUSPECTS_OF_A_THREAD: Final = 3
_NOTHING: Final = 500
"""Nanoseconds: two clocks are not read at the same moment."""


class Observer:
    def __init__(self, probes: Sequence[Probe], stores: Stores) -> None:
        self.codes: set[CodeType] = set()
        """Functions that change a holder."""
        self.found: set[CodeType] = set()
        """Those that were found in this run, and are followed line by line from the next."""
        self.slots = {probe.slot for probe in probes}
        self.seen_slots: set[int] = set()
        self.unexplained = 0
        self._probes = list(probes)
        self._stores = stores
        self._reads = [probe.read for probe in probes]
        self._base: list[Any] = [read() for read in self._reads]
        self._thread = 0
        self._of_others: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """CPU time of all other threads, in nanoseconds, and how often this one waited, where it is asked."""
        self._before = (0, 0)
        self._at: dict[int, tuple[int, int]] = {}
        """(frame, line) that each thread was at, where that is known."""
        self._items: list[tuple[int, Place, int, Probe]] = []

    @_harmless
    def begins(self, frame: FrameType) -> None:
        """A function is called, or goes on: what changed, its caller did."""
        thread = threading.get_ident()
        values = [read() for read in self._reads]
        if values != self._base:
            caller = frame.f_back
            at = self._at.get(thread)
            is_known = caller is not None and at is not None and at[0] == id(caller)
            self._changed(values, thread, caller, caller.f_lineno if caller and is_known else 0)
        self._thread, self._before = thread, self._of_others()
        if frame.f_code in self.codes:
            self._at[thread] = id(frame), frame.f_lineno or 0

    @_harmless
    def line(self, frame: FrameType, line: int) -> None:
        """A function that is followed goes to another line: what changed, the last one did."""
        thread = threading.get_ident()
        values = [read() for read in self._reads]
        if values != self._base:
            at = self._at.get(thread)
            self._changed(values, thread, frame, at[1] if at is not None and at[0] == id(frame) else 0)
        self._thread, self._before = thread, self._of_others()
        self._at[thread] = id(frame), line

    @_harmless
    def ends(self, frame: FrameType) -> None:
        """A function returns, yields or is left by an exception: what changed, its last line did."""
        thread = threading.get_ident()
        values = [read() for read in self._reads]
        if values != self._base:
            at = self._at.get(thread)
            is_known = at is not None and at[0] == id(frame)
            self._changed(values, thread, frame, frame.f_lineno or 0 if is_known else 0)
        self._thread, self._before = thread, self._of_others()
        caller = frame.f_back
        if caller is not None and caller.f_code in self.codes:
            self._at[thread] = id(caller), caller.f_lineno or 0
        else:
            self._at.pop(thread, None)

    def _changed(self, values: list[Any], thread: int, frame: FrameType | None, line: int) -> None:
        before, self._base = self._base, values
        grown = [at for at, probe in enumerate(self._probes) if not _is_less(probe, before[at], values[at])]
        if frame is None or not grown or frame.f_code.co_filename.startswith(OWN_FOLDER):
            return
        if frame.f_code not in self.codes:
            self.found.add(frame.f_code)
            self.unexplained += 1
            return
        place = place_of(frame, line) if line and thread == self._thread else None
        if place is None:
            self.unexplained += 1
            self.suspect_others()
        elif self._others_ran():
            self.unexplained += 1
            for at in grown:
                self._stores.doubt(self._probes[at].slot, place)
        else:
            for at in grown:
                self._written(self._probes[at], place, before[at], values[at])

    def suspect_others(self) -> None:
        """Follow what the other threads are in, so that whatever one of them does is seen to be its own.

        A function that began long ago is not seen to begin; neither is a pool's thread that waits for work.
        """
        own = threading.get_ident()
        for thread, frame in sys._current_frames().items():
            innermost = _frames_of(frame if thread != own else None)
            of_program = [each for each in innermost if not is_library(each.f_code.co_filename)]
            for each in (*innermost[:_SUSPECTS_OF_A_THREAD], *of_program[:_SUSPECTS_OF_A_THREAD]):
                self.found.add(each.f_code)
        self.found -= self.codes

    def mistrust_others(self) -> None:
        """There are threads that cannot be followed: what changed while one of them ran may be theirs."""
        if len(sys._current_frames()) > 1:
            import resource

            self._of_others = lambda: (
                time.process_time_ns() - time.thread_time_ns(),
                resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw,
            )

    def _others_ran(self) -> bool:
        """Whether another thread may have run since the last look: it used time, or this one waited."""
        used, waited = self._of_others()
        return used - self._before[0] > _NOTHING or waited != self._before[1]

    def _written(self, probe: Probe, place: Place, before: Any, after: Any) -> None:
        self.seen_slots.add(probe.slot)
        run = self._stores.run
        if not run:
            return
        count = after - before if probe.is_sized and isinstance(after, int) else 1
        self._stores.add(probe.slot, place, count, run)
        if probe.items is not None and probe.present is not None and isinstance(after, int):
            self._items += [(item, place, run, probe) for item in probe.items(before, after)]

    def run_ends(self) -> None:
        """Forget what was taken out again; what nobody is known to have changed is searched for."""
        values = [read() for read in self._reads]
        if values != self._base:
            self.unexplained += 1
            self._base = values
        present: dict[int, set[int]] = {}
        for item, place, run, probe in self._items:
            assert probe.present is not None
            if id(probe) not in present:
                present[id(probe)] = probe.present()
            if item not in present[id(probe)]:
                self._stores.add(probe.slot, place, -1, run)
        self._items.clear()
        self._at.clear()

    def look_closer(self) -> None:
        """Of slots that no line is known of, compare the items one by one: some may be replaced."""
        for at, probe in enumerate(self._probes):
            if probe.compare is not None and probe.slot not in self.seen_slots and not self.found:
                self._reads[at] = probe.compare
        self._base = [read() for read in self._reads]


def _frames_of(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def _is_less(probe: Probe, before: Any, after: Any) -> bool:
    """Whether nothing was put in: it is as it was, or something was taken out."""
    can_shrink = probe.is_sized or probe.is_size_of_one
    return bool(before == after) or (isinstance(after, int) and can_shrink and after < before)
