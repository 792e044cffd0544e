"""Which leaks the suite allows: a baseline and budgets, as `check` has them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from leakscan.analysis.gate import Budget, Gate, KnownLeak, gate
from leakscan.analysis.results.findings import Findings


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one session of pytest allows."""

    baseline: Sequence[KnownLeak] = ()
    budgets: Sequence[Budget] = ()
    today: datetime.date = field(default_factory=datetime.date.today)

    def gate(self, findings: Findings) -> Gate:
        return gate([findings], today=self.today, budgets=self.budgets, baseline=self.baseline)


def allowed_of(request: dict[str, Any]) -> Allowed:  # Any: JSON values
    """What the plugin's options and the project's pyproject.toml say. UsageError: one of them is wrong."""
    return Allowed()
