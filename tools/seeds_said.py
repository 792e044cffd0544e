"""A claim of a document, and the verdict on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Judged(StrEnum):
    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    ANSWERED = "answered"
    """a question of the document"""
    OPEN = "not decided"
    """a model cannot say"""


@dataclass(frozen=True, slots=True)
class Said:
    """One claim. `holds`: what was measured bears the judgement out."""

    claim: str
    judged: Judged
    measured: str
    where: str
    holds: bool = True
