"""Run a scenario in a process of its own and keep what it leaves: the capture directory."""

from __future__ import annotations

from leakscan.capture.directory import Capture, Census, read_capture, read_captures
from leakscan.capture.observe import MODES, Progress, Settings, capture, capture_modes

__all__ = [
    "MODES",
    "Capture",
    "Census",
    "Progress",
    "Settings",
    "capture",
    "capture_modes",
    "read_capture",
    "read_captures",
]
