"""How a scenario is run, and what is said while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakscan.capture.directory.run_file import RunFile, begun
from leakscan.capture.scenario.requests import WebRequest
from leakscan.errors import UsageError

MODES = ("consume", "abandon", "cancel", "timeout", "error", "concurrent")
MOST_RUNS = 65533
"""Births are two bytes wide, less the marks for "leakscan's own" and "unknown"."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the target is doing. `phase`: warm-up, run, settle, end; `done` of `total` runs."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a scenario is run. `chunks`: how many are taken before a stream is cut off.

    `timeout_seconds` bounds each run; `settle_seconds` the wait for work in flight to end after the last.
    `every`: a snapshot after every so many runs besides the first and the last (0: none). `most_runs`: up to
    how many `MoreRuns` may ask for. `control`: rounds without work before the baseline, three at least.
    `trim_probe`: after everything, have glibc give back what it can, and count. `setup`: what opens the
    surroundings of all runs; `arguments`: what each run is called with.
    `values`: what texts say that occur often is recorded, masked and cut.
    `requests`: the target is a web application, and a run sends it these.
    """

    runs: int = 20
    most_runs: int = 0
    warmup: int = 3
    chunks: int = 3
    every: int = 0
    settle_seconds: float = 2.0
    timeout_seconds: float | None = None
    sites: bool = False
    redact_keys: bool = False
    values: bool = False
    control: int = 3
    trim_probe: bool = False
    setup: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
    requests: tuple[WebRequest, ...] = ()

    def __post_init__(self) -> None:
        most = max(self.runs, self.most_runs)
        if self.runs < 1 or most > MOST_RUNS:
            raise UsageError(
                f"{self.runs if self.runs < 1 else most} runs cannot be captured",
                hint=f"from 1 to {MOST_RUNS}",
            )
        for name in ("warmup", "every", "control"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} {getattr(self, name)} is negative", hint="0 switches it off")
        if self.chunks < 1:
            raise UsageError(f"--chunks {self.chunks}: a stream gives chunks one by one", hint="1 or more")
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise UsageError("--timeout must be more than 0 seconds", hint="leave it out for no limit")
        if self.requests and (self.setup or self.arguments):
            raise UsageError(
                "a web application takes no --setup and no --arg: --request says what a run is",
                hint="leave them out, or name a function that sends the requests",
            )
        if self.values and self.redact_keys:
            raise UsageError(
                "--values records texts, --redact-keys leaves out what may be private",
                hint="take one of them",
            )
        if self.settle_seconds < 0:
            raise UsageError("--settle cannot be negative", hint="0 counts at once")


DEFAULT_SETTINGS = Settings()


def session_config(
    target: str, mode: str, settings: Settings, directory: Path, *, owns_main: bool
) -> dict[str, Any]:  # Any: JSON values
    """What record/driving.py needs to know, in a process of its own (`owns_main`) or in the caller's."""
    return {
        "target": target,
        "mode": mode,
        "runs": settings.runs,
        "most_runs": max(settings.runs, settings.most_runs),
        "warmup": settings.warmup,
        "chunks": settings.chunks,
        "every": settings.every,
        "settle_seconds": settings.settle_seconds,
        "sites": settings.sites,
        "redact_keys": settings.redact_keys,
        "values": settings.values,
        "control": settings.control,
        "trim_probe": settings.trim_probe,
        "setup": settings.setup,
        "arguments": dict(settings.arguments),
        "requests": [request.as_json() for request in settings.requests],
        "owns_main": owns_main,
        "output": str(directory.absolute()),
    }


def begun_run(target: str, mode: str, settings: Settings, *, runtime: str, python: str) -> RunFile:
    """What run.json says when a scenario is about to be run so."""
    return begun(
        target=target,
        mode=mode,
        runs=settings.runs,
        warmup=settings.warmup,
        chunks=settings.chunks,
        runtime=runtime,
        sites=settings.sites,
        redacted=settings.redact_keys,
        values=settings.values,
        python=python,
    )
