"""Attach to a running CPython process: load the agent into it, have it write its heap, and leave.

The process needs nothing of ours installed. One of its threads is borrowed for a moment to open the
library (borrow.py); a thread of the agent's own waits for the interpreter's lock, so it does not
matter where the program is; the process stands still for the fork alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from leakscan.capture.native_module import native_path
from leakscan.capture.process.agent import Agent, Answer, TargetGone, TookTooLong
from leakscan.capture.process.answered import (
    UNGUARDED,
    allocator_figures,
    check_ended,
    check_forked,
    check_whole,
    no_room,
    refusal,
)
from leakscan.capture.process.filters import check_filter
from leakscan.capture.process.headroom import (
    ROOM_HINT,
    ROOM_KEPT,
    ROOM_KEPT_HELD,
    ROOM_TO_ENTER,
    beside_the_table,
    held_room,
    least_room,
    room_of,
    rss_of,
)
from leakscan.capture.process.private_folder import PrivateFolder
from leakscan.capture.process.refusals import (
    check_descriptors,
    check_may_attach,
    check_threads,
    identity_of,
)
from leakscan.capture.process.vitals import Process, ProcessGone
from leakscan.capture.process.ways_in import Way, choose_way
from leakscan.errors import (
    AttachError,
    LeakscanError,
    NoRoom,
)
from leakscan.heap.packing import Packing
from leakscan.wording import size_text

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_STALL_SECONDS: Final = 60.0
_LEAVE_SECONDS: Final = 5.0
_HELLO_SECONDS: Final = 5.0
DEFAULT_HOLD_SECONDS: Final = 1.0
"""That a program near its limit stands still for its walk, at most."""
_HELD_TOLD: Final = 0.02
_LEAST_LIMIT: Final = 1 << 30
_LIMIT_FACTOR: Final = 8
"""A snapshot takes at most 60 bytes for an object, which takes 16 at least; the rest is for its names."""
THREAD_NAME: Final = "leakscan"


@dataclass(frozen=True, slots=True)
class Taken:
    """One snapshot. `waited_seconds` for the lock of Python, `pause_seconds` with it held, `seconds` in all.

    `interval` counts from 0 when births are armed, and is the one that this snapshot ends.
    """

    path: Path
    time_unix: float
    is_armed: bool
    interval: int
    waited_seconds: float
    pause_seconds: float
    seconds: float
    bytes: int
    memory: Mapping[str, int]
    """What the target's own allocators said when it was done."""
    warnings: tuple[str, ...] = ()
    """What is missing in it."""


class Attachment:
    """A context: the agent is in the target while inside, and has left it afterwards.

    After an exception out of one of its methods only leaving it makes sense.

    AttachError and UnsupportedInterpreter while it is entered leave the target as it was.
    """

    def __init__(
        self,
        pid: int,
        *,
        via: str = "auto",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        hold_seconds: float = DEFAULT_HOLD_SECONDS,
    ) -> None:
        self._timeout = timeout_seconds
        self._hold_seconds = hold_seconds
        self._started = time.monotonic()
        self.process = Process(pid)
        self.pid = pid
        self.is_armed = False
        self.interval = 0
        """That births are counted in now."""
        self._stack = contextlib.ExitStack()
        self._stack.callback(self.process.close)
        self._via = via
        self._folder: PrivateFolder | None = None
        self._is_stuck = False
        self._room_kept = ROOM_KEPT
        self.python = ""

    def __enter__(self) -> Attachment:
        try:
            self._enter()
        except BaseException as error:
            self._is_stuck |= isinstance(error, KeyboardInterrupt)
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Whoever pressed Ctrl-C does not wait for a thread that waits for Python's lock: it leaves by itself.
        self._is_stuck |= kind is KeyboardInterrupt
        with contextlib.suppress(LeakscanError, TargetGone):
            self._agent.order("end")
        self._leave()

    def _leave(self) -> None:
        if self._folder is not None:
            # Before the wait: a child that still writes for a reader who gave up must see that he is gone.
            self._folder.close()
            if not self._is_stuck:
                self._wait_until_it_left()
        self._stack.close()

    def _enter(self) -> None:
        check_may_attach(self.pid)
        self._check_room_to_enter()
        check_descriptors(self.pid)
        check_threads(self.pid)
        who = identity_of(self.pid)
        is_filtered = check_filter(self.pid)
        way: Way = choose_way(self.pid, via=self._via, library=Path(native_path()))
        self._stack.callback(way.close)
        self.python = way.python
        folder = self._stack.enter_context(
            PrivateFolder(self.pid, uid=who.uid, gid=who.gid, library=Path(native_path()))
        )
        self._folder = folder
        self._agent = Agent(
            orders=folder.orders, answers=folder.answers, heap=folder.heap, handle=self.process.handle
        )
        self._agent.order("hello filtered" if is_filtered else "hello")
        self._check_it_is_the_same()
        until = time.monotonic() + self._timeout
        way.open_library(folder, until=until)
        hello = self._hello(until)
        if reason := hello.text("reason"):
            raise refusal(self.pid, reason)
        self.is_armed = bool(hello.number("armed"))
        self.interval = hello.number("run")

    def snapshot(self, path: Path, *, redact_keys: bool = False, is_aside: bool = False) -> Taken:
        """Write the heap to `path`, which appears when it is whole.

        It ends an interval where births are armed, unless it `is_aside` and they were armed for a capture.
        AttachError, RecordError: there is none, and nothing was left behind.
        """
        try:
            return self._snapshot(path, redact_keys=redact_keys, is_aside=is_aside)
        except NoRoom:
            # Where no page is written meanwhile, and no table kept, a third of that is enough.
            if not self._can_hold():
                raise
        return self._snapshot(path, redact_keys=redact_keys, is_aside=is_aside, is_held=True)

    def _can_hold(self) -> bool:
        room = room_of(self.pid)
        if room is None or self._is_stuck or self._hold_seconds <= 0:
            return False
        return room.safe_bytes >= held_room(rss_of(self.pid))

    def _snapshot(self, path: Path, *, redact_keys: bool, is_aside: bool, is_held: bool = False) -> Taken:
        start, time_unix = time.monotonic(), time.time()
        rss_bytes = rss_of(self.pid)
        room = room_of(self.pid)
        self._room_kept = ROOM_KEPT_HELD if is_held else ROOM_KEPT
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                order = "snapshot" + " redact" * redact_keys + " aside" * is_aside
                if room is not None:
                    order += f" room={max(0, room.safe_bytes - beside_the_table(rss_bytes))}"
                    order += " tight" * (is_held or room.safe_bytes >= least_room(rss_bytes))
                order += f" hold={self._hold_seconds * 1000:.0f}" * is_held
                self._agent.order(order)
                forked = self._answer("forked", time.monotonic() + self._timeout)
                if forked.number("needed"):
                    raise no_room(self.pid, forked, room, rss_bytes)
                check_forked(self.pid, forked)
                try:
                    ended = self._received(file, rss_bytes, is_held=is_held)
                except NoRoom:
                    self._break_off()
                    raise
            check_ended(self.pid, ended, hold_seconds=self._hold_seconds if is_held else 0)
            warnings = check_whole(self.pid, partial)
            os.replace(partial, path)
        except OSError as error:
            raise AttachError(f"cannot write {path}: {error.strerror}", hint="choose another -o") from error
        finally:
            partial.unlink(missing_ok=True)
        return Taken(
            path=path,
            time_unix=time_unix,
            is_armed=bool(forked.number("births")),
            interval=forked.number("run"),
            waited_seconds=forked.seconds("waited_seconds"),
            pause_seconds=forked.seconds("pause_seconds") + ended.seconds("held_seconds"),
            seconds=time.monotonic() - start,
            bytes=path.stat().st_size,
            memory=allocator_figures(ended),
            warnings=(*warnings, *_stood_still(ended), *self._lost_births(forked)),
        )

    def _break_off(self) -> None:
        """Have the child end: nobody reads what it writes any more."""
        assert self._folder is not None
        self._folder.close_heap()
        try:
            self._agent.answer("ended", until=time.monotonic() + _LEAVE_SECONDS)
        except TargetGone as error:
            raise self._gone_or_stuck(error, "while its snapshot was broken off") from None
        except TookTooLong:
            self._is_stuck = True
        self._agent.read_from(self._folder.open_heap())

    def _received(self, file: BinaryIO, rss_bytes: int, *, is_held: bool) -> Answer:
        # While the program waits, nothing is packed: that takes longer than the walk.
        packing = None if is_held else Packing(file)
        seconds = max(_STALL_SECONDS, self._timeout)
        try:
            ended = self._agent.receive(
                packing or file,
                most_bytes=_LEAST_LIMIT + _LIMIT_FACTOR * rss_bytes,
                stall_seconds=seconds,
                watch=self._check_room_is_left,
            )
        except TargetGone as error:
            raise self._gone_or_stuck(error, "while it sent its heap") from None
        except TookTooLong:
            self._is_stuck = True
            raise AttachError(
                f"process {self.pid} sent nothing of its heap for {seconds:g} s",
                hint="its recording child does not get to run; it ends by itself. --timeout waits longer",
            ) from None
        if packing is not None:
            packing.close()
        return ended

    def _lost_births(self, forked: Answer) -> tuple[str, ...]:
        was_armed, self.is_armed = self.is_armed, bool(forked.number("births"))
        if not was_armed or self.is_armed:
            return ()
        return (
            "births are no longer counted: another tool took the allocator hook away (tracemalloc that was"
            " already running and stopped, a profiler); arm again for another capture",
        )

    def arm(self, *, for_capture: bool = False) -> bool:
        """Count births in the target from now on; False when they already were. They stop when this
        process ends, unless `keep_armed` is called."""
        self._agent.order("arm capture" if for_capture else "arm")
        answer = self._answer("armed", time.monotonic() + self._timeout)
        if reason := answer.text("reason"):
            raise AttachError(
                f"births cannot be recorded in process {self.pid}: {reason}",
                hint="attach twice without --arm: new objects are then told by their addresses",
            )
        self.is_armed = True
        self.interval = 0 if not answer.number("already") else self.interval
        return not answer.number("already")

    def guard(self, folder: Path, options: str) -> None:
        """Leave a guard in the target, which stays when this process ends; `folder` as the target sees it.

        AttachError: one runs there already, or the folder may not be written by the target.
        """
        self._agent.order(f"guard {options} folder={folder}")
        answer = self._answer("guarded", time.monotonic() + self._timeout)
        if reason := answer.text("reason"):
            raise AttachError(
                f"process {self.pid} cannot be guarded: {UNGUARDED.get(reason, reason[:200])}",
                hint="-o names a folder that the process itself may write",
            )

    def unguard(self) -> bool:
        """Have the guard end; whether there was one."""
        self._agent.order("unguard")
        return bool(self._answer("unguarded", time.monotonic() + self._timeout).number("was_running"))

    def keep_armed(self) -> None:
        self._agent.order("keep")

    def wait_until(self, moment: float) -> None:
        """Sleep until that monotonic time. AttachError: the target ended meanwhile."""
        poll = select.poll()
        poll.register(self.process.handle, select.POLLIN)
        while (left := moment - time.monotonic()) > 0:
            if poll.poll(min(left, 1.0) * 1000):
                raise self._gone_or_stuck(TargetGone(), "during the series")

    def disarm(self) -> bool:
        """Take the allocator hook out; whether there was one."""
        self._agent.order("disarm")
        answer = self._answer("disarmed", time.monotonic() + self._timeout)
        self.is_armed = False
        return bool(answer.number("was_armed"))

    def _answer(self, word: str, until: float) -> Answer:
        try:
            answer = self._agent.answer(word, until=until)
        except (TargetGone, TookTooLong) as error:
            raise self._gone_or_stuck(error, "before it could be looked at") from None
        if answer.word == "refused":
            raise refusal(self.pid, answer.text("reason"))
        return answer

    def _hello(self, until: float) -> Answer:
        # The library says hello at once; when it is not even mapped after a while it was not accepted.
        soon = time.monotonic() + _HELLO_SECONDS
        while True:
            try:
                return self._agent.answer("hello", until=min(soon, until))
            except TargetGone as error:
                raise self._gone_or_stuck(error, "while leakscan's library was opened") from None
            except TookTooLong:
                if not self._is_mapped():
                    raise AttachError(
                        f"process {self.pid} did not open leakscan's library",
                        hint="its loader refused it: a C library older than the one leakscan was built for, a"
                        " security module, or no memory; `dmesg` may say more",
                    ) from None
                if time.monotonic() >= until:
                    raise AttachError(
                        f"the agent in process {self.pid} did not start within {self._timeout:g} s",
                        hint="is it out of threads (ulimit -u), or very busy? try a longer --timeout",
                    ) from None
                soon += _HELLO_SECONDS

    def _is_mapped(self) -> bool:
        assert self._folder is not None
        with contextlib.suppress(OSError):
            return self._folder.path in Path(f"/proc/{self.pid}/maps").read_text(errors="replace")
        return False

    def _check_it_is_the_same(self) -> None:
        try:
            self.process.check()
        except ProcessGone:
            raise self._gone_or_stuck(TargetGone(), "before leakscan could attach") from None

    def _gone_or_stuck(self, error: Exception, when: str) -> AttachError:
        if isinstance(error, TargetGone):
            return AttachError(f"process {self.pid} ended {when}", hint="nothing was left behind")
        self._is_stuck = True
        return AttachError(
            f"process {self.pid} did not let go of Python's lock within {self._timeout:g} s",
            hint="it computes or waits in C code that keeps the lock; leakscan's waiting thread leaves by"
            " itself as soon as it gets it. --timeout waits longer",
        )

    def _check_room_to_enter(self) -> None:
        room = room_of(self.pid)
        if room is not None and room.safe_bytes < ROOM_TO_ENTER:
            raise NoRoom(
                f"too little memory is left to look into process {self.pid}: {room.text}; entering it takes"
                f" {size_text(ROOM_TO_ENTER)}",
                hint=ROOM_HINT,
            )

    def _check_room_is_left(self) -> None:
        """While the child lives, each page that the program writes is copied once."""
        room = room_of(self.pid)
        if room is not None and room.safe_bytes < self._room_kept:
            raise NoRoom(
                f"the snapshot of process {self.pid} was broken off before memory ran out: {room.text}",
                hint=ROOM_HINT,
            )

    def _wait_until_it_left(self) -> None:
        """The agent's thread removes itself; this only waits to see it."""
        until = time.monotonic() + _LEAVE_SECONDS
        pause = 0.0005
        while time.monotonic() < until and _has_agent_thread(self.pid):
            time.sleep(pause)
            pause = min(pause * 2, 0.05)


def _stood_still(ended: Answer) -> tuple[str, ...]:
    seconds = ended.seconds("held_seconds")
    if seconds < _HELD_TOLD:
        return ()
    return (f"memory was short: the process stood still for {seconds:.2f} s, so that none was needed twice",)


def _has_agent_thread(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/task/{thread}/comm").read_text() == THREAD_NAME + "\n":
                    return True
    return False


@contextlib.contextmanager
def interrupts_as_exceptions() -> Iterator[None]:
    """SIGTERM ends an attachment as Ctrl-C does: in order."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
