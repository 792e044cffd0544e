"""Which leaks the suite allows: a baseline and budgets, as `check` has them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakscan.analysis.gate import Budget, Gate, KnownLeak, gate, parse_baseline, parse_budget
from leakscan.analysis.results.findings import Findings
from leakscan.errors import UsageError


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one session of pytest allows."""

    baseline: Sequence[KnownLeak] = ()
    budgets: Sequence[Budget] = ()
    today: datetime.date = field(default_factory=datetime.date.today)

    def gate(self, findings: Findings) -> Gate:
        return gate([findings], today=self.today, budgets=self.budgets, baseline=self.baseline)


def allowed_of(request: dict[str, Any], settings: Mapping[str, Any]) -> Allowed:  # Any: JSON and TOML values
    """What the plugin's options and the project's `settings` say. UsageError: one of them is wrong."""
    folder = Path(request["folder"])
    baseline, budgets = request["baseline"], request["budgets"]
    if not baseline and settings.get("baseline"):
        baseline = str(folder / settings["baseline"])
    return Allowed(
        baseline=parse_baseline(_read(Path(baseline)), baseline) if baseline else (),
        budgets=[parse_budget(text) for text in budgets or settings.get("budget", ())],
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {error}", hint="--leakscan-write-baseline makes one"
        ) from error
