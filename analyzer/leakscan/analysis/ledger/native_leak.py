"""Growth outside of the heap as a leak like the others: with a signature, for budgets and known leaks."""

from __future__ import annotations

import hashlib

from leakscan.analysis.headline import ROW_NAMES, growing_rows
from leakscan.analysis.results.findings import Findings, Leak, Path, Verdict

TYPE_NAME = "native"
"""What a budget calls it: `native=100kB`."""


def native_leak(findings: Findings) -> Leak | None:
    """None unless the verdict is a native leak. The signature is that of the kinds of memory that grow."""
    rows = growing_rows(findings, slack=False)
    if findings.verdict is not Verdict.NATIVE or not rows:
        return None
    kinds = sorted(row.kind for row in rows)
    grown = sum(row.delta for row in rows)
    return Leak(
        signature=hashlib.sha256(b"native\0" + "\0".join(kinds).encode()).hexdigest()[:8],
        type_name=TYPE_NAME,
        count=0,
        exclusive_bytes=grown,
        shared_bytes=0,
        verdict=Verdict.LEAK,
        evidence=findings.headline,
        rate=0.0,
        every_run=False,
        first_run=0,
        last_run=0,
        births=(),
        path=Path("memory outside of the heap", "native", ()),
        also_held_by=(),
        holder=None,
        cut=None,
        name=", ".join(ROW_NAMES[kind] for kind in kinds),
        growth_bytes=grown,
    )
