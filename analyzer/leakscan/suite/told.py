"""What the plugin is told about one test."""

from __future__ import annotations

from typing import Any

from leakscan.analysis.gate import Gated, Status
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.suite.allowed import Allowed
from leakscan.testing import screen
from leakscan.wording import visible

_ALLOWED = (Status.KNOWN, Status.WITHIN_BUDGET)


def answer_of(findings: Findings, allowed: Allowed, types: tuple[str, ...]) -> dict[str, Any]:
    """Its leaks that fail it, those that are allowed, and the first screen. Any: JSON values.

    `types` narrows the question to types whose qualified name ends with one of them.
    """
    gated = [
        each
        for each in allowed.gate(findings).leaks
        if each.leak in findings.leaks and (not types or each.leak.type_name.endswith(types))
    ]
    failing = [each for each in gated if each.fails]
    is_undecided = findings.verdict is Verdict.INCONCLUSIVE
    return {
        "leaks": [_row(each) for each in failing],
        "allowed": [_row(each) for each in gated if each.status in _ALLOWED],
        "text": screen(findings) if failing else "",
        "undecided": findings.headline if is_undecided else "",
    }


def _row(gated: Gated) -> dict[str, str]:
    leak = gated.leak
    holder = leak.holder.label if leak.holder else leak.path.root
    # The same in every test that shows the leak: no counts, which differ.
    what = f"{visible(leak.name or leak.type_name)}, held by {visible(holder)}"
    return {"signature": leak.signature, "what": what, "status": str(gated.status), "why": gated.why}
