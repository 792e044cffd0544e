"""The checks of the machine, and the comparison with other tools, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from leakscan.analysis.cross_check import CrossCheck
from leakscan.wording import count_text, size_text, visible

_WIDTH: Final = 80


class CheckLike(Protocol):
    """A check as `capture.doctor` makes it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def found(self) -> str: ...
    @property
    def needed_for(self) -> str: ...
    @property
    def hint(self) -> str: ...


def checks_text(checks: Sequence[CheckLike]) -> str:
    """One line for what works; what does not says what it is for and what to do."""
    longest = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        head = f"{check.state:<7}  {visible(check.name):<{longest}}  "
        lines += _wrapped(head, visible(check.found))
        if check.state != "works":
            lines += _wrapped(" " * len(head), f"for: {check.needed_for}")
            if check.hint:
                lines += _wrapped(" " * len(head), f"hint: {check.hint}")
    return "\n".join(lines) + "\n"


def cross_check_text(found: Sequence[CrossCheck], missing: Mapping[str, str], *, listed: int) -> str:
    """For each tool the totals, then every type it counts differently, those without a reason first."""
    lines: list[str] = []
    for check in found:
        differ = f"{count_text(len(check.disagreements))} differ"
        unexplained = len(check.unexplained)
        verdict = f"{count_text(unexplained)} of them for no known reason" if unexplained else "all explained"
        lines.append(
            f"{check.tool} {check.version}: {count_text(check.types)} types, {differ}"
            f"{', ' + verdict if check.disagreements else ''}"
        )
        lines.append(
            f"  {check.looks_at}: leakscan {count_text(check.objects)},"
            f" {check.tool} {count_text(check.other_objects)}"
        )
        if check.other_bytes:
            lines.append(f"  bytes: {size_text(check.bytes)} and {size_text(check.other_bytes)}")
        for each in check.disagreements[:listed]:
            head = f"  {count_text(each.leakscan):>9} {count_text(each.other):>9}  "
            why = each.why or "NO REASON KNOWN, please report"
            lines += _wrapped(head, f"{visible(each.type_name)}: {why}")
        if len(check.disagreements) > listed:
            lines.append(f"  {count_text(len(check.disagreements) - listed)} more, all explained: --json")
    lines += [f"{name} was not asked: {visible(reason)}" for name, reason in sorted(missing.items())]
    return "\n".join(lines) + "\n"


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (len(head) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]
