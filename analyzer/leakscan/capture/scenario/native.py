"""Run a scenario again under memray and keep which native allocations were not freed, by stack."""

from __future__ import annotations

from leakscan.capture.directory.reader import Capture
from leakscan.capture.directory.traced import NATIVE_FILE
from leakscan.capture.scenario.job import run_job
from leakscan.capture.scenario.observe import driver_config
from leakscan.capture.scenario.settings import Settings
from leakscan.errors import CaptureError


def trace_natively(captured: Capture, settings: Settings, *, python: str | None) -> None:
    """Write native.json into the directory of a complete capture. CaptureError: it could not be traced."""
    if not captured.python:
        raise CaptureError(
            "--native traces Python programs only", hint=f"{captured.directory} keeps the capture without it"
        )
    config = {
        **driver_config(captured.target, captured.mode, settings, captured.directory, is_interactive=False),
        "native_trace": str((captured.directory / NATIVE_FILE).absolute()),
        "trace_python_allocators": _is_in_pools(captured),
    }
    run_job("tracing", config, python=python, what="the runs could not be traced")


def _is_in_pools(captured: Capture) -> bool:
    """Whether the native growth is in the pools of Python's allocator: then each block is traced."""
    first, last = captured.census[0].memory, captured.census[-1].memory
    names = ("pool_used_bytes", "object_block_bytes")
    grown = {name: last.get(name, 0) - first.get(name, 0) for name in names}
    in_malloc = sum(
        last.get(name, 0) - first.get(name, 0) for name in ("malloc_used_bytes", "malloc_mapped_bytes")
    )
    native = grown["pool_used_bytes"] + in_malloc - grown["object_block_bytes"]
    return native > 0 and grown["pool_used_bytes"] - grown["object_block_bytes"] > native / 2
