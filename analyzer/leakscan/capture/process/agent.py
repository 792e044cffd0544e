"""Talk to the agent in a target: orders out, answers and the heap in.

Everything that arrives was written by another process, which may be hostile: it is parsed as bytes,
its length is limited, and it is only ever written to the file that the user named.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from leakscan.errors import AttachError

_MOST_ANSWER_BYTES: Final = 4096
_BLOCK_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031
_LOOK_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the agent: a word, and what it says by name."""

    word: str
    fields: Mapping[str, str]

    def number(self, name: str) -> int:
        """0 when it is missing or is no number."""
        with contextlib.suppress(ValueError):
            return int(self.fields.get(name, "0")[:20])
        return 0

    def seconds(self, name: str) -> float:
        with contextlib.suppress(ValueError):
            return min(max(0.0, float(self.fields.get(name, "0")[:20])), 1e9)
        return 0.0

    def text(self, name: str) -> str:
        return self.fields.get(name, "")


class Sink(Protocol):
    """Takes a snapshot block by block."""

    def write(self, block: bytes, /) -> object: ...


class TargetGone(Exception):
    """The target ended while it was talked to."""


class TookTooLong(Exception):
    """No answer in time."""


class Agent:
    """This end of the pipes; `handle` is a pidfd of the target."""

    def __init__(self, *, orders: int, answers: int, heap: int, handle: int) -> None:
        self._orders, self._answers, self._heap, self._handle = orders, answers, heap, handle
        self._pending = b""

    def order(self, text: str) -> None:
        """AttachError: the pipe is full, so nobody reads it."""
        if "\n" in text:
            raise AttachError(f"an order is one line: {text!r}", hint="choose another -o")
        try:
            os.write(self._orders, os.fsencode(text) + b"\n")
        except BlockingIOError:
            raise AttachError("the target no longer takes orders") from None

    def answer(self, word: str, *, until: float) -> Answer:
        """The next answer, which must be this one (or `refused`), before the monotonic time `until`.

        TargetGone; TookTooLong; AttachError: it said something else.
        """
        while (answer := self._next_answer()) is None:
            self._wait(until, self._answers)
        if answer.word not in (word, "refused"):
            raise AttachError(
                "the target answered what it was not asked", hint="is it running leakscan's agent?"
            )
        return answer

    def receive(
        self,
        into: Sink,
        *,
        most_bytes: int,
        stall_seconds: float,
        watch: Callable[[], None] | None = None,
    ) -> Answer:
        """Write the heap as it comes, until the agent says it is done; that answer.

        AttachError: more than `most_bytes`, or OSError: it cannot be written. TookTooLong: nothing came
        for `stall_seconds`. `watch` is called every 10 ms; what it raises ends the receiving.
        """
        # A bigger pipe spares the writer most of its waits; not every user may have one.
        with contextlib.suppress(OSError):
            _set_pipe_size(self._heap, _BLOCK_BYTES)
        total = 0
        until = time.monotonic() + stall_seconds
        ended: Answer | None = None
        look_at = 0.0
        while True:
            if watch is not None and (now := time.monotonic()) >= look_at:
                watch()
                look_at = now + _LOOK_SECONDS
            block = self._heap_block()
            if block:
                total += len(block)
                if total > most_bytes:
                    raise AttachError(
                        f"the target sent more than a heap of its size can be ({most_bytes} bytes)"
                    )
                into.write(block)
                until = time.monotonic() + stall_seconds
            elif ended is not None:
                # What the child wrote before it ended was in the pipe by then, and has been read.
                return ended
            elif (ended := self._next_answer()) is None:
                self._wait(until, self._answers, self._heap)
            elif ended.word != "ended":
                raise AttachError("the target answered what it was not asked")

    def read_from(self, heap: int) -> None:
        """From now on the heap comes through this descriptor."""
        self._heap = heap

    def _heap_block(self) -> bytes:
        try:
            return os.read(self._heap, _BLOCK_BYTES)
        except BlockingIOError:
            return b""

    def _next_answer(self) -> Answer | None:
        if b"\n" not in self._pending:
            try:
                self._pending += os.read(self._answers, _MOST_ANSWER_BYTES)
            except BlockingIOError:
                return None
        line, end, rest = self._pending.partition(b"\n")
        if not end:
            if len(line) > _MOST_ANSWER_BYTES:
                raise AttachError("the target sent something that is no answer")
            return None
        self._pending = rest
        return parse_answer(line)

    def _wait(self, until: float, *descriptors: int) -> None:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        # A pipe whose writer came and went reports a hang-up for ever: that is no reason to hurry.
        ready = dict(poll.poll(_LOOK_SECONDS * 1000))
        if ready.get(self._handle):
            raise TargetGone
        if ready and not any(events & select.POLLIN for events in ready.values()):
            time.sleep(0.001)
        if time.monotonic() > until:
            raise TookTooLong


def parse_answer(line: bytes) -> Answer:
    """`word name=value ... reason=the rest of the line`; never raises."""
    text = line.decode("utf-8", "replace")
    head, has_reason, reason = text.partition("reason=")
    word, *pairs = head.split() or [""]
    fields = {name: value for name, equals, value in (pair.partition("=") for pair in pairs) if equals}
    if has_reason:
        fields["reason"] = reason
    return Answer(word, MappingProxyType(fields))


def _set_pipe_size(descriptor: int, size: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, _F_SETPIPE_SZ, size)
