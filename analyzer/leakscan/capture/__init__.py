"""Run a scenario in a process of its own and keep what it leaves: the capture directory."""

from __future__ import annotations

from leakscan.capture.directory.reader import Capture, Census, read_capture, read_captures
from leakscan.capture.scenario.decision import Decide, MoreRuns, Prove
from leakscan.capture.scenario.run import ModeDoesNotApply, capture, capture_modes
from leakscan.capture.scenario.settings import MODES, Progress, Settings

__all__ = [
    "MODES",
    "Capture",
    "Census",
    "Decide",
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
