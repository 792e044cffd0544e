"""The connection from a process of a captured program to `capture`: one JSON object a line, both ways."""

from __future__ import annotations

import _socket
import json
import os
import sys
from typing import Any, Final

from leakscan.record.events import CaptureGone

# Any in this file: JSON values.

# As they are before calls of them may be counted: a count that writes would count itself.
_DUMPS: Final = json.dumps
_LOADS: Final = json.loads


class Link:
    """Says who this process is, then events. CaptureGone: nobody listens any more."""

    def __init__(self, path: str) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._pending = b""
        try:
            self._socket.connect(path)
        except OSError:
            raise CaptureGone from None
        self._identity = os.fstat(self._socket.fileno()).st_ino
        self.write("hello", pid=os.getpid(), parent=os.getppid(), command=sys.orig_argv)

    def write(self, event: str, **fields: Any) -> None:
        line = memoryview(_DUMPS({"event": event, **fields}).encode() + b"\n")
        self._check()
        try:
            while line:
                line = line[os.write(self._socket.fileno(), line) :]
        except OSError:
            raise CaptureGone from None

    def read(self) -> dict[str, Any]:
        """What `capture` says next; waits for it."""
        while b"\n" not in self._pending:
            self._check()
            try:
                block = os.read(self._socket.fileno(), 1 << 16)
            except OSError:
                raise CaptureGone from None
            if not block:
                raise CaptureGone
            self._pending += block
        line, _, self._pending = self._pending.partition(b"\n")
        found: dict[str, Any] = _LOADS(line)
        return found

    def close(self) -> None:
        try:
            self._check()
        except CaptureGone:
            self._socket.detach()
        self._socket.close()

    def _check(self) -> None:
        # A program that becomes a daemon closes every descriptor, and opens others under their numbers.
        try:
            is_ours = os.fstat(self._socket.fileno()).st_ino == self._identity
        except OSError:
            is_ours = False
        if not is_ours:
            raise CaptureGone
