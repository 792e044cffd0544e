"""`leakscan doctor`: what works on this machine and why not, and whether other tools count the same heap."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from leakscan.cli.parameters import option

if TYPE_CHECKING:
    from leakscan.analysis.cross_check import CrossCheck
    from leakscan.capture.doctor import Check

EXAMPLES = (
    "leakscan doctor",
    "leakscan doctor --cross-check streamlab:stream_once",
)
_LISTED = 12


def doctor(
    cross_check: Annotated[
        str | None,
        option(metavar="TARGET", help="Count the heap of this scenario with objgraph and guppy3, too."),
    ] = None,
    runs: Annotated[int, option(min=1, help="With --cross-check: runs before counting.")] = 3,
    python: Annotated[
        str | None, option(metavar="PATH", help="With --cross-check: another interpreter.")
    ] = None,
    as_json: Annotated[bool, option("--json", help="Print everything as JSON.")] = False,
) -> int:
    """Say what works here and why not.

    Exit code 1 when captures do not work, or when another tool counts otherwise and no reason is known.
    """
    from leakscan.capture.doctor import examine, works
    from leakscan.cli import exits
    from leakscan.report.share.doctor import checks_json, cross_check_json
    from leakscan.report.text.doctor import checks_text, cross_check_text

    if cross_check is not None:
        found, missing = _cross_checked(cross_check, runs, python)
        text = cross_check_json(cross_check, found, missing) if as_json else None
        sys.stdout.write(text if text is not None else cross_check_text(found, missing, listed=_LISTED))
        return exits.LEAKS_FOUND if any(each.unexplained for each in found) else 0
    checks: tuple[Check, ...] = examine()
    sys.stdout.write(checks_json(checks) if as_json else checks_text(checks))
    return 0 if works(checks) else exits.LEAKS_FOUND


def _cross_checked(
    target: str, runs: int, python: str | None
) -> tuple[tuple[CrossCheck, ...], dict[str, str]]:
    from leakscan.answers.cross_check import cross_check
    from leakscan.capture.scenario.settings import Settings
    from leakscan.errors import UsageError

    found, missing = cross_check(target, settings=Settings(runs=runs, warmup=0), python=python)
    if not found:
        why = "; ".join(f"{name}: {reason}" for name, reason in sorted(missing.items()))
        raise UsageError(
            f"there is no other tool to check against: {why}", hint="pip install objgraph guppy3"
        )
    return found, missing
