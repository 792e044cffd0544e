"""Who writes the references that keep survivors: their holders, watched while the scenario runs again.

Only after the last snapshot, so that nothing kept here is in one. What is no part of it: which holders to
watch (`answers`), and how the lines are told (`report`).
"""

from __future__ import annotations

from leakscan.record.writers.blame import blame

__all__ = ["blame"]
