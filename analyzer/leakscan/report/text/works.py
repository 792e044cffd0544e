"""Whose requests the survivors are, as text."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.results.findings import Findings, Leak
from leakscan.analysis.results.works import WorkShare
from leakscan.report.text.lines import Line, wrapped
from leakscan.wording import count_text, rate_text, size_text, visible

_SHOWN: Final = 5
NAMELESS: Final = "outside of any work"


def works_of_leak(leak: Leak) -> str:
    """`POST /chat: 15 objects, 61.4 kB per request (20 requests)`; "" where the program names no works."""
    return _listed([share_text(share) for share in leak.works])


def share_text(share: WorkShare) -> str:
    """What one kind of work left, for each that began where that is known."""
    name = visible(share.name) or NAMELESS
    if not share.begun:
        # It began before the baseline, or is none.
        return f"{name}: {objects_text(share.objects)}, {size_text(share.bytes)}"
    if not share.objects:
        return f"{name}: 0 ({requests_text(share.begun)})"
    per = share.objects / share.begun
    objects = f"{rate_text(per)} {'object' if per == 1 else 'objects'}"
    size = size_text(share.bytes / share.begun)
    return f"{name}: {objects}, {size} per request ({requests_text(share.begun)})"


def objects_text(count: int) -> str:
    return "1 object" if count == 1 else f"{count_text(count)} objects"


def requests_text(count: int) -> str:
    return "1 request" if count == 1 else f"{count_text(count)} requests"


def works_lines(findings: Findings, width: int, *, limit: int) -> list[Line]:
    """Every work in the report's foot: what it left in the leaks, those that left nothing last."""
    if not findings.works:
        return []
    left = [share for share in findings.works if share.objects]
    idle = [share for share in findings.works if not share.objects]
    shown = left[: limit or None]
    parts = [share_text(share) for share in shown]
    if len(shown) < len(left):
        parts.append(f"{count_text(len(left) - len(shown))} more: --limit 0 shows all")
    if idle:
        parts.append(_idle(idle, limit))
    return wrapped("; ".join(parts), width, first="works     ", indent=" " * 10)


def _idle(idle: list[WorkShare], limit: int) -> str:
    shown = idle[: limit or None]
    names = ", ".join(f"{visible(share.name) or NAMELESS} ({requests_text(share.begun)})" for share in shown)
    more = f" and {count_text(len(idle) - len(shown))} more" if len(shown) < len(idle) else ""
    return f"nothing of {names}{more}"


def _listed(parts: list[str]) -> str:
    more = f"; {count_text(len(parts) - _SHOWN)} more: --json has all" if len(parts) > _SHOWN else ""
    return "; ".join(parts[:_SHOWN]) + more
