"""A test is run again and again, and the analyst is asked what that left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from leakscan.pytest_plugin.analyst import Analyst
from leakscan.pytest_plugin.asked import Asked
from leakscan.pytest_plugin.runs import run_once, tidy
from leakscan.record.first_look import leaves_nothing
from leakscan.record.growth import AFTER, BEFORE, record_growth
from leakscan.record.session import Session
from leakscan.record.target import Target

Answer = dict[str, Any]  # Any: JSON values


def measured(item: pytest.Function, asked: Asked, mode: str, analyst: Analyst) -> Answer | None:
    """What the analyst says of one mode; None when a first look at the test shows that it leaves nothing."""

    def run() -> None:
        run_once(item)

    run.__module__, run.__qualname__ = item.module.__name__, item.name
    fields: dict[str, Any] = {
        "target": f"{run.__module__}:{run.__qualname__}",
        "mode": mode,
        "types": asked.types,
    }
    fields |= {"test": item.nodeid, "folder": str(item.config.invocation_params.dir)}
    if asked.is_marked:
        return captured(run, asked, analyst, fields)
    if leaves_nothing(run, lambda: tidy(item)):
        return None
    # Before the runs: what starting it leaves here is older than they are.
    analyst.start()
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        if not record_growth(run, lambda: tidy(item), runs=asked.runs, folder=folder):
            return None
        before, after = os.path.join(folder, BEFORE), os.path.join(folder, AFTER)
        return analyst.ask("judge", before=before, after=after, runs=asked.runs, **fields)


def captured(run: Callable[[], Any], asked: Asked, analyst: Analyst, fields: dict[str, Any]) -> Answer:
    """The same by a whole capture, as `leakscan capture` makes one."""
    begun = analyst.ask("begin", runs=asked.runs, warmup=asked.warmup, sites=asked.sites, **fields)
    session = Session(begun["config"], analyst, load=lambda: Target(fields["target"], run))
    try:
        session.prepare()
        session.measure()
    except BaseException:
        analyst.ask("drop")
        raise
    finally:
        session.close()
    return analyst.ask("end", **fields)
