"""What happens inside the observed process: import, warm-up, baseline, runs, last snapshot.

The session keeps nothing of a run: results, exceptions and tasks are dropped before anything is
counted, and every figure goes straight to `capture` through the pipe, so that neither leakscan's
objects nor their growth appear in what it measures.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from leakscan import _native
from leakscan.record.births import check_still_ours, times_armed
from leakscan.record.children import child_processes
from leakscan.record.events import EventSink
from leakscan.record.failures import text_of
from leakscan.record.figures import allocator, collector_figures, interpreter, memory_figures
from leakscan.record.interrupts import allow_interrupts, hold_interrupts
from leakscan.record.recorder import Recorder
from leakscan.record.scenario import Scenario
from leakscan.record.settle import LEAST_CONTROL, drain, settle, tasks_in_flight
from leakscan.record.surroundings import Surroundings
from leakscan.record.target import Target

WORTH_WEIGHING = 200
"""Objects that only the collector freed after the runs so far: what the last run leaves to it is weighed."""


class Session:
    """State of one capture. `phase` and `run` say where it is, for the message when something fails."""

    # Any: JSON values, and whatever one run returns
    def __init__(self, config: dict[str, Any], events: EventSink, *, load: Callable[[], Target]) -> None:
        self._config = config
        self._events = events
        self._load = load
        self._recorder = Recorder(config)
        self._scenario: Scenario | None = None
        self._surroundings: Surroundings | None = None
        self._pid = os.getpid()
        self._children_at_rest: set[int] = set()
        self._tasks_at_rest = 0
        self.runs: int = config["runs"]
        self.phase = "start"
        self.run = 0
        self.runs_completed = 0
        self._collected = 0
        self.wants_last_snapshot = False

    def prepare(self) -> None:
        """Import the target, warm it up, and take the baseline."""
        self._recorder.check_support()
        self._events.write("started", pid=os.getpid(), allocator=allocator(), **interpreter())
        self.phase = "import"
        allow_interrupts()
        try:
            target = self._load()
        finally:
            hold_interrupts()
        self._scenario = Scenario(
            target.call,
            mode=self._config["mode"],
            chunks=self._config["chunks"],
            owns_main=self._config["owns_main"],
        )
        self._events.write("imported")
        self._set_up(target)
        del target
        self.phase = "warm-up"
        for run in range(1, self._config["warmup"] + 1):
            self.run = run
            self._one_run(run, is_warmup=True)
        self.phase, self.run = "baseline", 0
        collected = self._drain()[1]
        self._tasks_at_rest = tasks_in_flight(self._scenario.loop)
        self._children_at_rest = set(child_processes())
        self._recorder.arm_births()
        # What the first measurements allocate for good must be older than the baseline: glibc keeps a
        # megabyte from the second or third snapshot on (its threshold for mmap adapts), then nothing.
        # These rounds without work are kept: they say what measuring itself costs.
        for round_number in range(1, max(LEAST_CONTROL, self._config["control"]) + 1):
            self.run = round_number
            self._measure_heap("control", collected=0, seconds=0.0)
        self.phase, self.run = "baseline", 0
        self._take_snapshot("before.heap")
        # What the program's threads make from here on is not in it, and is no run's either.
        self._recorder.others_wait()
        # After it: the first snapshot of a process costs about a megabyte of its memory, once.
        self._measure_heap("baseline", collected=collected, seconds=0.0)

    def _set_up(self, target: Target) -> None:
        assert self._scenario is not None
        self.phase = "set-up"
        self._surroundings = Surroundings(self._scenario)
        allow_interrupts()
        try:
            self._scenario.use(self._surroundings.enter(target))
        finally:
            hold_interrupts()
        # What was started for all runs does not end before them.
        self._tasks_at_rest = tasks_in_flight(self._scenario.loop)

    def measure(self) -> None:
        """The counted runs, each with its census, then the last snapshot."""
        every = self._config["every"]
        self.wants_last_snapshot = True
        for run in range(self.runs_completed + 1, self.runs + 1):
            self.phase, self.run = "run", run
            self._one_run(run, is_warmup=False)
            self.runs_completed = run
            if every and run % every == 0 and run < self.runs:
                self._take_snapshot(f"run-{run:04}.heap")
        self.finish()

    def finish(self) -> None:
        """Let work in flight end, count again, and take the last snapshot."""
        self.phase = "settle"
        self.wants_last_snapshot = False
        # Apart, so that its own numbers are gone when the heap is written.
        self._settle()
        self.phase = "snapshot"
        self._take_snapshot("after.heap")

    def _settle(self) -> None:
        assert self._scenario is not None
        # What polls, or goes on by itself, would look like a burst in the last run.
        self._recorder.begin_waiting()
        before = tasks_in_flight(self._scenario.loop)
        waited, collected = self._drain()
        self._recorder.begin_bookkeeping()
        self._events.write(
            "settled",
            tasks_at_rest=self._tasks_at_rest,
            tasks_before=before,
            tasks_after=tasks_in_flight(self._scenario.loop),
            waited_seconds=round(waited, 3),
            children=[
                name for pid, name in sorted(child_processes().items()) if pid not in self._children_at_rest
            ],
        )
        self._measure_heap("settled", collected=collected, seconds=waited)

    def blame(
        self, holders: list[tuple[int, int, str | None]], runs: int
    ) -> dict[str, Any]:  # Any: JSON values
        """Who writes into the holders at these addresses in more runs, which nobody measures."""
        from leakscan.record.writers import blame

        allow_interrupts()
        try:
            return blame(holders, self._run_unmeasured, runs=runs)
        except KeyboardInterrupt:
            return {"written": [], "failed": "it was interrupted"}
        except Exception as error:  # of the scenario
            return {"written": [], "failed": f"a run raised {type(error).__name__}: {text_of(error)}"}
        finally:
            hold_interrupts()

    def _run_unmeasured(self) -> None:
        assert self._scenario is not None
        self._scenario.run()
        settle(self._scenario)

    def probe_trim(self) -> None:
        """Have glibc give back what it can, and tell what that was: only when asked, and after everything."""
        if self._config["trim_probe"]:
            before = memory_figures()
            done = _native.malloc_trim()
            self._events.write("trimmed", done=done is not None, before=before, after=memory_figures())

    def close(self) -> None:
        """Let the target end as it would: its loop is closed and its exit handlers run."""
        self._recorder.disarm_births()
        allow_interrupts()
        if self._surroundings is not None:
            self._surroundings.leave()
        if self._scenario is not None:
            self._scenario.close()

    def _one_run(self, run: int, *, is_warmup: bool) -> None:
        assert self._scenario is not None
        self._events.write("run_start", run=run, warmup=is_warmup)
        start, armed = time.perf_counter(), times_armed()
        if not is_warmup:
            self._recorder.begin_run(run)
        try:
            # A signal held back so far raises KeyboardInterrupt here.
            allow_interrupts()
            ended = self._scenario.run()
        finally:
            if os.getpid() != self._pid:
                self._end_child(run)
            hold_interrupts()
        check_still_ours(armed)
        uncollected: list[str] = []
        is_weighed = run == self.runs and not is_warmup and self._collected >= WORTH_WEIGHING
        weigh = (lambda: uncollected.append(self._recorder.census_within(run))) if is_weighed else None
        collected = settle(self._scenario, before_collecting=weigh)
        seconds = time.perf_counter() - start
        self._recorder.begin_bookkeeping_after_collection()
        self._events.write("run_end", run=run, warmup=is_warmup, ended=ended, kind=self._scenario.kind)
        if not is_warmup:
            self._collected += collected
            self._measure_heap("run", collected=collected, seconds=seconds, uncollected=uncollected)

    def _end_child(self, run: int) -> NoReturn:
        """A child that a run forked came back from it: it would drive the session beside its parent."""
        failure = sys.exc_info()[1]
        if failure is not None and not isinstance(failure, SystemExit):
            traceback.print_exception(failure)
        if self._config["owns_main"]:
            # One short write, which cannot mix with those of the parent.
            self._events.write("child_returned", run=run)
        else:
            print("leakscan: a child process that a run forked came back from it", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if failure is None else 1)

    def _drain(self) -> tuple[float, int]:
        assert self._scenario is not None
        allow_interrupts()
        try:
            return drain(
                self._scenario,
                tasks_at_rest=self._tasks_at_rest,
                at_most_seconds=self._config["settle_seconds"],
            )
        finally:
            hold_interrupts()

    def _measure_heap(
        self, phase: str, *, collected: int, seconds: float, uncollected: Sequence[str] = ()
    ) -> None:
        assert self._scenario is not None
        figures = memory_figures()
        self._events.write(
            "census",
            phase=phase,
            run=self.run,
            file=self._recorder.census(phase, run=self.run),
            memory=figures,
            collected=collected,
            uncollected=list(uncollected),
            collector=collector_figures(),
            tasks=tasks_in_flight(self._scenario.loop),
            seconds=round(seconds, 6),
        )

    def _take_snapshot(self, name: str) -> None:
        assert self._scenario is not None
        self.phase = "snapshot"
        pause = self._recorder.snapshot(name, run=self.runs_completed, subject=self._scenario.subject)
        self._events.write("snapshot", file=name, run=self.runs_completed, pause_seconds=round(pause, 6))
