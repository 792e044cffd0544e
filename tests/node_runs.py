"""Captures of JavaScript scenarios: which Node, and one capture from a text."""

from __future__ import annotations

import os
import shutil
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
