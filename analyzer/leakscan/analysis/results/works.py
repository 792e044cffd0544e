"""Whose request it was: what each kind of work (`leakscan.work`) left behind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkShare:
    """What one kind of work left. `name` is "" where no work was under way, or where it is not known."""

    name: str
    begun: int
    """how many began between the snapshots; 0 for the nameless"""
    survivors: int
    """of those that leaks are named after"""
    objects: int
    """survivors, and what only they hold"""
    bytes: int
