"""Run one of the recorder's other jobs in a process of its own, and wait for its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leakscan.capture.interpreter import find_interpreter
from leakscan.capture.scenario.target_process import Target, passing_on_interrupts
from leakscan.errors import CaptureError

# Any in this file: JSON values.


def run_job(job: str, config: Mapping[str, Any], *, python: str | None, what: str) -> None:
    """CaptureError: it did not end well. `what` did not work, in words: "the runs could not be traced"."""
    interpreter = find_interpreter(python)
    error: Mapping[str, Any] = {}
    status = ""
    order = {**config, "job": job, "python": interpreter.command[0]}
    with Target(interpreter.command, order) as target, passing_on_interrupts(target):
        for event in target.events():
            if event["event"] == "error":
                error = event
            elif event["event"] == "end":
                status = event["status"]
        code = target.end()
    if status != "complete":
        why = error.get("message") or f"its process ended with {code}"
        kind = f"{error['type']}: " if error.get("type") else ""
        raise CaptureError(f"{what}: {kind}{why}", hint=error.get("hint", ""))
