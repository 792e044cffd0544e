"""A session from its start to its end, and what `capture` asks for in between."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from typing import Any

from leakscan.errors import LeakscanError
from leakscan.record.cutting import prove
from leakscan.record.events import CaptureGone, Events
from leakscan.record.failures import described
from leakscan.record.interrupts import allow_interrupts, hold_interrupts
from leakscan.record.session import Session
from leakscan.record.streams import ModeDoesNotApply
from leakscan.record.target import load_target


def run_session(config: dict[str, Any]) -> int:  # Any: JSON values
    """Run the whole capture; exit status of the process (0: `capture` was told how it went)."""
    hold_interrupts()
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
    allow_interrupts()
    status = "complete"
    try:
        getattr(importlib.import_module(f"leakscan.record.{config['job']}"), config["job"])(config, events)
    except KeyboardInterrupt:
        status = "interrupted"
    except BaseException as error:  # SystemExit of the target, too
        events.write("error", phase=config["job"], run=0, **described(error))
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
    allow_interrupts()
    try:
        return prove(command["references"], command["survivors"], command["others"], types=command["types"])
    except KeyboardInterrupt:
        return {"failed": "it was interrupted"}
    finally:
        hold_interrupts()


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
        events.write("error", phase=session.phase, run=session.run, **described(error))
        return "failed"


def _keep_what_ran(session: Session, events: Events, status: str) -> str:
    try:
        session.finish()
    except KeyboardInterrupt:
        return "interrupted"
    except (OSError, LeakscanError) as error:
        events.write("error", phase="snapshot", run=session.run, **described(error))
    return status
