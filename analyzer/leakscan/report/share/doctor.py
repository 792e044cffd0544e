"""The checks of the machine, and the comparison with other tools, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from leakscan.analysis.cross_check import CrossCheck
from leakscan.json_values import as_plain
from leakscan.report.text.doctor import CheckLike


def checks_json(checks: Sequence[CheckLike]) -> str:
    rows = [as_plain(check) for check in checks]
    return json.dumps({"format": "leakscan-doctor", "version": 1, "checks": rows}, indent=2) + "\n"


def cross_check_json(target: str, found: Sequence[CrossCheck], missing: Mapping[str, str]) -> str:
    document = {
        "format": "leakscan-cross-check",
        "version": 1,
        "target": target,
        "tools": [as_plain(check) for check in found],
        "missing": dict(sorted(missing.items())),
    }
    return json.dumps(document, indent=2) + "\n"
