"""The runs of a program that says where they end: warm-up, baseline, counted runs, last snapshot.

Each counted run leaves a whole last snapshot behind: a program may end at any moment, and by then what its
functions held is gone. Everything is measured in the thread that marks the run.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from leakscan.errors import LeakscanError
from leakscan.record.births import WAITING
from leakscan.record.children import child_processes
from leakscan.record.events import CaptureGone
from leakscan.record.figures import allocator, collector_figures, interpreter, memory_figures
from leakscan.record.program.link import Link
from leakscan.record.recorder import Recorder
from leakscan.record.settle import LEAST_CONTROL, POLL_SECONDS, collect_all, tasks_in_flight, threads_move

if TYPE_CHECKING:
    import asyncio

# As they are before a framework of green threads puts its own there.
_SLEEP: Final = time.sleep
_LOCK: Final = _thread.allocate_lock
_IDENT: Final = _thread.get_ident
_BEGIN, _DONE, _DONE_AND_GO_ON = range(3)


class Rounds:
    """Counts runs; without a `link` it counts none. Nothing that goes wrong in here reaches the program."""

    def __init__(self, link: Link | None, config: dict[str, Any]) -> None:  # Any: JSON values
        self._link = link
        self._config = config
        self._recorder = Recorder(config)
        self._pid = os.getpid()
        self._lock = _LOCK()
        self._owner = 0
        self._is_over = link is None
        self._is_armed = False
        self._birth = WAITING
        """What the program allocates after this mark is born in."""
        self._warmups = 0
        self._run = 0
        self._open = 0
        self._began = 0.0
        self._tasks_at_rest = 0
        self._children_at_rest: set[int] = set()

    @property
    def is_of_this_process(self) -> bool:
        return self._pid == os.getpid()

    def begin(self) -> None:
        """A run begins. While another is open it belongs to that one's number."""
        self._locked(_BEGIN)

    def done(self, *, is_next_begun: bool) -> None:
        """A run is over; what follows belongs to the next one, or to none."""
        self._locked(_DONE_AND_GO_ON if is_next_begun else _DONE)

    def _locked(self, step: int) -> None:
        # A finalizer of the program that runs while we collect may mark a run, too.
        if self._is_over or self._owner == _IDENT() or not self.is_of_this_process:
            return
        # Not by `with`, which makes an object while the run is still open.
        self._lock.acquire()
        try:
            self._mark(step)
        finally:
            self._lock.release()

    def _mark(self, step: int) -> None:
        held = None
        try:
            # First: what is made from here on is leakscan's.
            self._recorder.begin_bookkeeping_after_collection()
            self._owner = _IDENT()
            held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            if not self._is_over:
                self._take(step)
            if self._is_armed:
                self._recorder.go_on(self._birth)
        except CaptureGone:
            self._give_up()
        except Exception as error:
            self._fail(error)
        finally:
            self._owner = 0
            if held is not None and signal.SIGINT not in held:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def _take(self, step: int) -> None:
        if step == _BEGIN:
            self._begin()
        elif step == _DONE:
            self._done()
        else:
            self._done_and_go_on()

    def _begin(self) -> None:
        if not self._is_armed and self._warmups >= self._config["warmup"]:
            self._take_baseline()
        self._open += 1
        if self._open == 1:
            self._begin_run()

    def _done(self) -> None:
        self._open = max(self._open - 1, 0)
        self._end_run()
        if self._is_over:
            return
        if self._open:
            self._begin_run()
        elif self._is_armed:
            self._wait()

    def _done_and_go_on(self) -> None:
        self._end_run()
        if self._is_over:
            return
        # Without a warm-up the first mark is the baseline: nothing was looked at before it.
        if not self._is_armed and self._warmups >= self._config["warmup"]:
            self._take_baseline()
        self._begin_run()

    def _begin_run(self) -> None:
        run = (self._run if self._is_armed else self._warmups) + 1
        self._events.write("run_start", run=run, warmup=not self._is_armed)
        self._began = time.perf_counter()
        if self._is_armed:
            self._birth = run
            self._recorder.begin_run(run)

    def _end_run(self) -> None:
        if not self._is_armed:
            self._warmups += 1
            self._events.write(
                "run_end", run=self._warmups, warmup=True, ended="returned", kind=self._config["kind"]
            )
            return
        self._run += 1
        seconds = time.perf_counter() - self._began
        collected = collect_all()
        self._recorder.begin_bookkeeping_after_collection()
        self._events.write(
            "run_end", run=self._run, warmup=False, ended="returned", kind=self._config["kind"]
        )
        self._measure("run", run=self._run, collected=collected, seconds=seconds)
        every = self._config["every"]
        if every and self._run % every == 0 and self._run < self._config["runs"]:
            self._snapshot(f"run-{self._run:04}.heap")
        self._snapshot("after.heap")
        if self._run == self._config["runs"]:
            self._finish()

    def _wait(self) -> None:
        self._birth = WAITING
        self._recorder.begin_waiting()

    def _take_baseline(self) -> None:
        self._recorder.check_support()
        self._events.write("started", pid=os.getpid(), allocator=allocator(), **interpreter())
        collected = collect_all()
        self._tasks_at_rest = tasks_in_flight(_running_loop())
        self._children_at_rest = set(child_processes())
        self._recorder.arm_births()
        self._is_armed = True
        for number in range(1, max(LEAST_CONTROL, self._config["control"]) + 1):
            self._measure("control", run=number, collected=0, seconds=0.0)
        self._snapshot("before.heap")
        self._recorder.others_wait()
        self._birth = WAITING
        self._measure("baseline", run=0, collected=collected, seconds=0.0)

    def _finish(self) -> None:
        """Let what is in flight end, and take the last snapshot again."""
        self._is_over = True
        self._wait()
        loop = _running_loop()
        start = time.monotonic()
        before = tasks_in_flight(loop)
        if loop is None:
            is_moving = threads_move()
            while is_moving() and time.monotonic() - start < self._config["settle_seconds"]:
                _SLEEP(POLL_SECONDS)
            self._take_last(None, before, start)
        else:
            loop.call_later(POLL_SECONDS, self._look_again, loop, before, start)

    def _look_again(self, loop: asyncio.AbstractEventLoop, before: int, start: float) -> None:
        """Called by the program's own loop, which cannot be waited for inside of it."""
        is_in_time = time.monotonic() - start < self._config["settle_seconds"]
        if is_in_time and tasks_in_flight(loop) > self._tasks_at_rest:
            loop.call_later(POLL_SECONDS, self._look_again, loop, before, start)
            return
        try:
            self._take_last(loop, before, start)
        except CaptureGone:
            self._give_up()
        except Exception as error:
            self._fail(error)

    def _take_last(self, loop: asyncio.AbstractEventLoop | None, before: int, start: float) -> None:
        collected = collect_all()
        self._recorder.begin_bookkeeping()
        waited = time.monotonic() - start
        self._events.write(
            "settled",
            tasks_at_rest=self._tasks_at_rest,
            tasks_before=before,
            tasks_after=tasks_in_flight(loop),
            waited_seconds=round(waited, 3),
            children=[
                name for pid, name in sorted(child_processes().items()) if pid not in self._children_at_rest
            ],
        )
        self._measure("settled", run=self._run, collected=collected, seconds=waited)
        self._snapshot("after.heap")
        self._events.write("end", status="complete", runs_completed=self._run)
        self._give_up()

    def _measure(self, phase: str, *, run: int, collected: int, seconds: float) -> None:
        figures = memory_figures()
        self._events.write(
            "census",
            phase=phase,
            run=run,
            file=self._recorder.census(phase, run=run),
            memory=figures,
            collected=collected,
            collector=collector_figures(),
            tasks=tasks_in_flight(_running_loop()),
            seconds=round(seconds, 6),
        )

    def _snapshot(self, name: str) -> None:
        pause = self._recorder.snapshot(name, run=self._run)
        self._events.write("snapshot", file=name, run=self._run, pause_seconds=round(pause, 6))

    @property
    def _events(self) -> Link:
        if self._link is None:
            raise CaptureGone
        return self._link

    def _give_up(self) -> None:
        self._is_over, self._is_armed = True, False
        self._recorder.disarm_births()

    def _fail(self, error: Exception) -> None:
        """Tell `capture`, and leave the program alone from here on."""
        self._give_up()
        said = f"{type(error).__name__}: {error}", ""
        if isinstance(error, LeakscanError):
            said = error.message, error.hint
        try:
            self._events.write(
                "error", phase="run", run=self._run, type="", message=said[0], hint=said[1], traceback=""
            )
            self._events.write("end", status="failed", runs_completed=self._run)
        except CaptureGone:
            pass


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that this thread is in; asyncio is not imported for it."""
    asyncio: Any = sys.modules.get("asyncio")  # Any: a module that may be half imported
    running = getattr(asyncio, "_get_running_loop", None)
    return None if running is None else running()
