"""Run a scenario in a process of its own and keep what it leaves: the capture directory.

What reads a capture need not load what runs one: the names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from leakscan.capture.directory.reader import Capture, Census, read_capture, read_captures
    from leakscan.capture.scenario.decision import TRACED_FILE, Blame, Decide, MadeIn, MoreRuns, Prove
    from leakscan.capture.scenario.run import ModeDoesNotApply, capture, capture_modes
    from leakscan.capture.scenario.settings import MODES, Progress, Settings

__all__ = [
    "MODES",
    "TRACED_FILE",
    "Blame",
    "Capture",
    "Census",
    "Decide",
    "MadeIn",
    "ModeDoesNotApply",
    "MoreRuns",
    "Progress",
    "Prove",
    "Settings",
    "capture",
    "capture_modes",
    "read_capture",
    "read_captures",
]
_WHERE: Final = {
    "directory.reader": ("Capture", "Census", "read_capture", "read_captures"),
    "scenario.decision": ("TRACED_FILE", "Blame", "Decide", "MadeIn", "MoreRuns", "Prove"),
    "scenario.run": ("ModeDoesNotApply", "capture", "capture_modes"),
    "scenario.settings": ("MODES", "Progress", "Settings"),
}


def __getattr__(name: str) -> Any:  # Any: what the package offers
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
