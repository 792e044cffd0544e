"""Run a scenario again under memray and keep which native allocations were not freed, by stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leakscan.capture.directory import Capture
from leakscan.capture.interpreter import find_interpreter
from leakscan.capture.observe import driver_config
from leakscan.capture.process import Target, passing_on_interrupts
from leakscan.capture.settings import Settings
from leakscan.errors import CaptureError

NATIVE_FILE: Final = "native.json"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class TracedSite:
    """Blocks that one stack allocated and nothing freed. `stack`: (function, file, line), innermost first.

    `owner`: whose memory it is as far as the stack tells: `objects` (Python's own), `numpy arrays`, or "".
    """

    bytes: int
    blocks: int
    owner: str
    stack: tuple[tuple[str, str, int], ...]


def trace_natively(captured: Capture, settings: Settings, *, python: str | None) -> None:
    """Write native.json into the directory of a complete capture. CaptureError: it could not be traced."""
    if not captured.python:
        raise CaptureError(
            "--native traces Python programs only", hint=f"{captured.directory} keeps the capture without it"
        )
    interpreter = find_interpreter(python)
    config = {
        **driver_config(captured.target, captured.mode, settings, captured.directory, is_interactive=False),
        "native_trace": str((captured.directory / NATIVE_FILE).absolute()),
        "trace_python_allocators": _is_in_pools(captured),
        "python": interpreter.command[0],
    }
    error: Mapping[str, Any] | None = None  # Any: JSON values
    status = ""
    with Target(interpreter.command, config) as target, passing_on_interrupts(target):
        for event in target.events():
            if event["event"] == "error":
                error = event
            elif event["event"] == "end":
                status = event["status"]
        code = target.end()
    if status != "complete":
        why = error["message"] if error is not None else f"its process ended with {code}"
        raise CaptureError(
            f"the runs could not be traced: {why}",
            hint=(error or {}).get("hint", "") or f"{captured.directory} keeps the capture without it",
        )


def traced_sites(directory: Path) -> tuple[TracedSite, ...]:
    """What was traced, the most bytes first; () when nothing was. CaptureError: the file is damaged."""
    path = directory / NATIVE_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("version", 0) > _VERSION:
            raise CaptureError(f"{path} was written by a newer leakscan", hint="upgrade leakscan to read it")
        return tuple(
            TracedSite(
                int(site["bytes"]),
                int(site["blocks"]),
                str(site["owner"]),
                tuple((str(function), str(file), int(line)) for function, file, line in site["stack"]),
            )
            for site in found["sites"]
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaptureError(f"{path} is damaged: {error!r}", hint="capture again with --native") from error


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
