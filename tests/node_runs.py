"""Captures of JavaScript scenarios: which Node, one capture from a text, several programs in one process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from leakscan.capture import Capture, Settings, capture

# Other tests ask several, separated by colons.
NODE = shutil.which(os.environ.get("LEAKSCAN_NODE", "node").split(":")[0] or "node")
needs_node = pytest.mark.skipif(NODE is None, reason="no `node` on PATH, and LEAKSCAN_NODE names none")


def captured(
    folder: Path,
    text: str,
    *,
    file: str = "scenario.mjs",
    mode: str = "consume",
    settings: Settings | None = None,
) -> Capture:
    """The capture of the export `run` of a module with this text."""
    (folder / file).write_text(text)
    return capture(
        f"{folder / file}:run",
        output=folder / "leak",
        mode=mode,
        node=NODE,
        settings=settings or Settings(runs=8, warmup=2, settle_seconds=0.5, timeout_seconds=30),
        overwrite=True,
    )


def captured_together(folder: Path, programs: Path, names: Iterable[str], settings: Settings) -> Capture:
    """One capture whose runs call each of these exports, and read the streams that they return.

    Starting Node and writing its heap takes as long as twenty programs of a few lines.
    """
    text = f"""
    import * as programs from "{programs}";
    export async function run() {{
      for (const name of {sorted(names)}) {{
        const made = await programs[name]();
        if (made?.[Symbol.asyncIterator]) for await (const part of made) void part;
      }}
    }}
    """
    return captured(folder, text, settings=settings)
