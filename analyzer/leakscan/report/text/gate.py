"""The gate's answer as text."""

from __future__ import annotations

from leakscan.analysis.gate import Gate, Gated, StuckWait
from leakscan.report.text.never import group_sentence
from leakscan.wording import count_text, rate_text, size_text, visible


def sentence(gated: Gated) -> str:
    """One leak in one sentence that stands alone."""
    leak = gated.leak
    if not leak.count:
        # Memory outside of the heap: there are no objects to count.
        return visible(leak.evidence)
    where = f", held by {leak.holder.label}" if leak.holder else f", held by {leak.path.root}"
    cut = leak.cut.members if leak.cut is not None else ()
    them = "it" if leak.count == 1 else "them"
    remedy = f"; to free {them} cut {' and '.join(member.pattern for member in cut)}" if cut else ""
    mode = f" (mode {gated.mode})" if gated.mode not in ("", "consume") else ""
    what = f"{count_text(leak.count)} {leak.name or leak.type_name}"
    if leak.growth_bytes:
        return visible(f"{what} grows: it {leak.evidence}{where}{remedy}{mode}")
    verb = "survives" if leak.count == 1 else "survive"
    rate, size = rate_text(leak.rate), size_text(leak.exclusive_bytes)
    return visible(f"{what} {verb}, {rate} per run{where}, {size}{remedy}{mode}")


def stuck_wait_sentence(wait: StuckWait) -> str:
    """Who can never wake, what for, where it is kept, and at which line it waits."""
    mode = f" (mode {visible(wait.mode)})" if wait.mode not in ("", "consume") else ""
    return f"{group_sentence(wait.group)}: can never wake{mode}"


def gate_text(gate: Gate) -> str:
    """For people: the verdict, then a line for each leak."""
    lines = [visible(gate.headline)]
    for gated in gate.leaks:
        why = f" ({visible(gated.why)})" if gated.why else ""
        lines.append(f"  {gated.status.value:13}  {gated.leak.signature}  {sentence(gated)}{why}")
    lines += [f"  {'stuck':13}  {stuck_wait_sentence(wait)}" for wait in gate.stuck]
    lines += [f"warning: {visible(warning)}" for warning in gate.warnings]
    return "\n".join(lines) + "\n"
