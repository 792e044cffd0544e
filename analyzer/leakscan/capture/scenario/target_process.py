"""The observed process from outside: start it, read its events, pass on Ctrl-C, see how it ended."""

from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from leakscan.errors import CaptureError

POLL_SECONDS = 0.1
GRACE_SECONDS = 10.0
"""After an interrupt, how long the target has to let go before it is killed."""


class Interruptible(Protocol):
    """What is stopped instead of this process."""

    def interrupt(self) -> None: ...


class Timed(Protocol):
    """A target whose runs may have to end in time."""

    timed_out: bool

    def begin_run(self, seconds: float | None) -> None: ...

    def end_run(self) -> None: ...


class Target:
    """A running driver. Iterate over `events()`; then `end()` says how the process went.

    Leaving its `with` block by an exception kills it.
    """

    def __init__(self, command: Sequence[str], config: dict[str, Any]) -> None:  # Any: JSON values
        self._interrupts = 0
        self._kill_at: float | None = None
        self._deadline: float | None = None
        self._is_in_run = False
        self.timed_out = False
        self._events, events_fd = os.pipe()
        control_fd, self._control = os.pipe()
        fds = {"events_fd": events_fd, "control_fd": control_fd}
        try:
            self._process = subprocess.Popen(
                [*command, json.dumps({**config, **fds})],
                stdin=subprocess.DEVNULL,
                # C's environment, which Popen would pass on by itself, says more: `cli.run` writes there.
                env=os.environ,
                # Our stdout is for the answer; the target's output goes where progress goes.
                stdout=stderr_descriptor(),
                pass_fds=list(fds.values()),
                # Ctrl-C must reach the driver once, through `interrupt`, when it can be told apart
                # from a stop that the target itself has caused.
                process_group=0,
            )
        except OSError as error:
            os.close(self._events)
            os.close(self._control)
            raise _not_started(command[0], error) from error
        finally:
            for descriptor in fds.values():
                os.close(descriptor)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
            self._process.wait()

    @property
    def was_interrupted(self) -> bool:
        return self._interrupts > 0

    def interrupt(self) -> None:
        """Ask for a stop: the first time politely, so that the last snapshot is taken.

        A run that does not hear it (JavaScript that never waits, a loop in C) is killed after GRACE_SECONDS.
        """
        self._interrupts += 1
        if self._is_in_run:
            self._kill_at = time.monotonic() + GRACE_SECONDS
        self._signal(signal.SIGINT if self._interrupts == 1 else signal.SIGKILL)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def command(self, command: dict[str, Any]) -> None:  # Any: JSON values
        """Answer its event `waiting`."""
        try:
            line = memoryview(json.dumps(command).encode() + b"\n")
            while line:
                line = line[os.write(self._control, line) :]
        except BrokenPipeError:
            pass  # it has ended meanwhile; `events` and `end` tell how

    def begin_run(self, seconds: float | None) -> None:
        """The run that begins now may take that long; None: as long as it likes."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._is_in_run = True
        if self.was_interrupted:
            # The signal was faster than the event of the run that it met.
            self._kill_at = time.monotonic() + GRACE_SECONDS

    def end_run(self) -> None:
        self._deadline, self._is_in_run = None, False

    def events(self) -> Iterator[dict[str, Any]]:  # Any: JSON values
        """Events as they come, until the driver says `end` or its process is gone."""
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._events, selectors.EVENT_READ)
            while True:
                is_gone = self._process.poll() is not None
                # A process that the target left behind may hold the pipe open: its end is not awaited.
                if selector.select(0 if is_gone else POLL_SECONDS):
                    block = os.read(self._events, 1 << 16)
                    if not block:
                        return
                    *lines, pending = (pending + block).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if event["event"] == "stopping":
                            # It heard; the last snapshot may take its time.
                            self._kill_at = None
                        yield event
                        if event["event"] == "end":
                            return
                elif is_gone:
                    return
                self._enforce_deadline()

    def end(self) -> int:
        """Exit status of the process (negative: the signal), once it has ended or been made to."""
        os.close(self._events)
        os.close(self._control)
        try:
            return self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _enforce_deadline(self) -> None:
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            self.timed_out = True
            self._deadline, self._kill_at = None, now + GRACE_SECONDS
            self._signal(signal.SIGINT)
        elif self._kill_at is not None and now > self._kill_at:
            self._kill_at = None
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            # The whole group: a helper of the target would see Ctrl-C from the terminal, too.
            os.killpg(self._process.pid, number)


def _not_started(program: str, error: OSError) -> CaptureError:
    if error.errno == errno.E2BIG:
        return CaptureError(
            "the arguments or requests of the scenario are too long for a command line",
            hint="read long ones from a file: in the scenario, or in a function that sends the requests",
        )
    return CaptureError(f"cannot start {program}: {error.strerror}", hint="is it still there?")


@contextmanager
def passing_on_interrupts(target: Interruptible) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM stop the target instead of this process.

    Only the main thread may change handlers; in another the caller's own handling stays.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    earlier = [signal.signal(number, lambda *_: target.interrupt()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, earlier, strict=True):
            signal.signal(number, handler)


def stderr_descriptor() -> int:
    """Where a target's own output goes: to progress, not into the answer."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # replaced by an object without a descriptor
        return 2
