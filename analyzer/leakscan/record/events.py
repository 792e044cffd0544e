"""Events from the observed process to `capture`: one JSON object a line, on an inherited pipe."""

from __future__ import annotations

import json
import os
from typing import Any, Protocol


class CaptureGone(Exception):
    """Nobody listens any more. Not an OSError: the target may fail with one of its own."""


class EventSink(Protocol):
    """Whoever is told what a session does."""

    def write(self, event: str, **fields: Any) -> None: ...  # Any: JSON values


class Events:
    """Writes events to a descriptor. `write` raises CaptureGone when its reader has gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Programs that the target starts must not keep the pipe open.
        os.set_inheritable(descriptor, False)

    def write(self, event: str, **fields: Any) -> None:  # Any: JSON values
        line = memoryview(json.dumps({"event": event, **fields}).encode() + b"\n")
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except BrokenPipeError:
            raise CaptureGone from None
