"""What happens inside the observed process: import, warm-up, baseline, runs, last snapshot.

The driver keeps nothing of a run: results, exceptions and tasks are dropped before anything is
counted, and every figure goes straight to `capture` through the pipe, so that neither leakscan's
objects nor their growth appear in what it measures.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

from leakscan import _native
from leakscan.errors import LeakscanError
from leakscan.record.children import child_processes
from leakscan.record.cutting import prove
from leakscan.record.events import CaptureGone, Events, EventSink
from leakscan.record.figures import allocator, collector_figures, interpreter, memory_figures
from leakscan.record.recorder import Recorder
from leakscan.record.scenario import Scenario
from leakscan.record.settle import LEAST_CONTROL, drain, settle, tasks_in_flight
from leakscan.record.streams import ModeDoesNotApply
from leakscan.record.surroundings import Surroundings
from leakscan.record.target import Target, load_target

WORTH_WEIGHING = 200
"""Objects that only the collector freed after the runs so far: what the last run leaves to it is weighed."""
OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))


def run_session(config: dict[str, Any]) -> int:  # Any: JSON values
    """Run the whole capture; exit status of the process (0: `capture` was told how it went)."""
    _hold_interrupts()
    events = Events(config["events_fd"])
    # Programs that the target starts must not read our commands.
    os.set_inheritable(config["control_fd"], False)
    try:
        if config.get("job"):
            return _do_job(config, events)
        session = Session(config, events, load=lambda: load_target(config))
        status = _attempt(session, events, [session.prepare, session.measure])
        if status == "complete" and config["is_interactive"]:
            status = _obey(session, events, config["control_fd"])
        if status == "complete":
            session.probe_trim()
        if status in ("interrupted", "failed") and session.wants_last_snapshot:
            events.write("stopping")
            status = _keep_what_ran(session, events, status)
        events.write("end", status=status, runs_completed=session.runs_completed)
        session.close()
    except KeyboardInterrupt:
        pass  # while the target closes down: everything is written
    except CaptureGone:
        return 3
    return 0


def _do_job(config: dict[str, Any], events: Events) -> int:
    """Something else than a capture: `job` is the module of this package with a function of its name."""
    _allow_interrupts()
    status = "complete"
    try:
        getattr(importlib.import_module(f"leakscan.record.{config['job']}"), config["job"])(config, events)
    except KeyboardInterrupt:
        status = "interrupted"
    except BaseException as error:  # SystemExit of the target, too
        events.write("error", phase=config["job"], run=0, **_describe(error))
        status = "failed"
    events.write("end", status=status, runs_completed=config["runs"])
    return 0


def _obey(session: Session, events: Events, control_fd: int) -> str:
    """Do what `capture` asks for after it has looked at what there is, until it asks for no more."""
    status = "complete"
    with open(control_fd, encoding="utf-8") as commands:
        while status == "complete":
            events.write("waiting")
            command = json.loads(commands.readline() or '{"command": "end"}')
            if command["command"] == "end":
                break
            if command["command"] == "more":
                session.runs = command["runs"]
                status = _attempt(session, events, [session.measure])
            elif command["command"] == "blame":
                events.write("blamed", **session.blame(command["holders"], command["runs"]))
            else:
                events.write("proved", **_prove(command))
    return status


def _prove(command: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    _allow_interrupts()
    try:
        return prove(command["references"], command["survivors"], command["others"], types=command["types"])
    except KeyboardInterrupt:
        return {"failed": "it was interrupted"}
    finally:
        _hold_interrupts()


def _attempt(session: Session, events: Events, steps: list[Callable[[], None]]) -> str:
    # The exception and its frames hold the target's objects: they must be gone when this returns.
    try:
        for step in steps:
            step()
        return "complete"
    except CaptureGone:
        raise
    except KeyboardInterrupt:
        return "interrupted"
    except ModeDoesNotApply as reason:
        events.write("error", phase=session.phase, run=session.run, message=str(reason), hint="")
        return "not-applicable"
    except BaseException as error:  # SystemExit and CancelledError of the target, too
        events.write("error", phase=session.phase, run=session.run, **_describe(error))
        return "failed"


def _keep_what_ran(session: Session, events: Events, status: str) -> str:
    try:
        session.finish()
    except KeyboardInterrupt:
        return "interrupted"
    except (OSError, LeakscanError) as error:
        events.write("error", phase="snapshot", run=session.run, **_describe(error))
    return status


def _describe(error: BaseException) -> dict[str, str]:
    if isinstance(error, LeakscanError):
        return {"type": "", "message": error.message, "hint": error.hint, "traceback": ""}
    text = "".join(traceback.format_exception(type(error), error, _targets_part(error.__traceback__)))
    return {"type": type(error).__qualname__, "message": _text_of(error), "hint": "", "traceback": text}


def _targets_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback below the driver, its loop and the import system: what the user wrote."""
    below = trace
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
        if file.startswith((OWN_FOLDER, "<frozen importlib")) or file == importlib.__file__:
            below = trace
    return below


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # the target's own __str__
        return f"<its __str__ raised {type(broken).__name__}>"


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
        _allow_interrupts()
        try:
            target = self._load()
        finally:
            _hold_interrupts()
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
        _allow_interrupts()
        try:
            self._scenario.use(self._surroundings.enter(target))
        finally:
            _hold_interrupts()
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

        _allow_interrupts()
        try:
            return blame(holders, self._run_unmeasured, runs=runs)
        except KeyboardInterrupt:
            return {"written": [], "failed": "it was interrupted"}
        except Exception as error:  # of the scenario
            return {"written": [], "failed": f"a run raised {type(error).__name__}: {_text_of(error)}"}
        finally:
            _hold_interrupts()

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
        _allow_interrupts()
        if self._surroundings is not None:
            self._surroundings.leave()
        if self._scenario is not None:
            self._scenario.close()

    def _one_run(self, run: int, *, is_warmup: bool) -> None:
        assert self._scenario is not None
        self._events.write("run_start", run=run, warmup=is_warmup)
        start = time.perf_counter()
        if not is_warmup:
            self._recorder.begin_run(run)
        try:
            # A signal held back so far raises KeyboardInterrupt here.
            _allow_interrupts()
            ended = self._scenario.run()
        finally:
            if os.getpid() != self._pid:
                self._end_child(run)
            _hold_interrupts()
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
        _allow_interrupts()
        try:
            return drain(
                self._scenario,
                tasks_at_rest=self._tasks_at_rest,
                at_most_seconds=self._config["settle_seconds"],
            )
        finally:
            _hold_interrupts()

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


def _hold_interrupts() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _allow_interrupts() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
