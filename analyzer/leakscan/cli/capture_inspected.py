"""`leakscan capture --inspect`: snapshots of a running Node, with progress on stderr."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakscan.capture.inspector.inspected import OnStep
    from leakscan.cli.capture_options import CaptureOptions


def capture_inspected(asked: CaptureOptions) -> int:
    """Capture the Node at the address, or of the PID, that is asked for; the exit code."""
    from leakscan.capture.inspector.inspected import capture_inspected as run_capture
    from leakscan.capture.inspector.open_inspector import open_inspector
    from leakscan.wording import size_text, visible

    address = asked.inspect
    if asked.pid is not None:
        address = open_inspector(asked.pid)
        print(f"process {asked.pid} opened its inspector at {address}; it stays open", file=sys.stderr)
    assert address is not None
    captured = run_capture(
        address,
        output=asked.output,
        snapshots=asked.snapshots,
        wait_seconds=asked.wait,
        overwrite=asked.overwrite,
        on_step=_progress(),
    )
    if asked.as_json:
        print((asked.output / "run.json").read_text(), end="")
        return 0
    first, last = captured.census[0], captured.census[-1]
    pauses = ", ".join(f"{entry.pause_seconds:.1f} s" for entry in captured.snapshots)
    print(f"captured {visible(captured.target)}: {len(captured.snapshots)} snapshots, paused for {pauses}")
    print(f"  heap       {size_text(first.object_bytes)} -> {size_text(last.object_bytes)}")
    if first.memory.get("rss_bytes"):
        rss = [size_text(row.memory["rss_bytes"]) for row in (first, last)]
        print(f"  rss        {rss[0]} -> {rss[1]}")
    print(f"next: leakscan diff {shlex.quote(str(captured.directory))}")
    return 0


def _progress() -> OnStep:
    told = ""
    is_terminal = sys.stderr.isatty()

    def on_step(what: str, share: float) -> None:
        nonlocal told
        if is_terminal and what.startswith("snapshot"):
            print(f"\r{what}: {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)
        elif what != told:
            print(what, file=sys.stderr, flush=True)
        told = what

    return on_step
