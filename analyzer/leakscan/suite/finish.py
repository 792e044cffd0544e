"""The end of a session: the page of its leaks, the baseline of them, what is wrong with what it allows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leakscan.analysis.gate import baseline_text, check_budgets
from leakscan.errors import LeakscanError
from leakscan.suite.allowed import Allowed
from leakscan.suite.kept import Seen, findings_with, seen_in

BASELINE_DAYS: Final = 90


def finish(request: dict[str, Any], allowed: Allowed) -> list[str]:  # Any: JSON values
    """Write what the session asked for; sentences for its end. UsageError: a budget is of no type."""
    folder = Path(request["kept"])
    seen = seen_in(folder)
    said = []
    if request["report"]:
        from leakscan.report.html.suite import suite_page

        _write(
            Path(request["report"]),
            suite_page(seen, [findings_with(folder, each.signature) for each in seen]),
        )
        said.append(f"{request['report']}: {_leaks(len(seen))}")
    if request["write_baseline"]:
        expires = datetime.date.today() + datetime.timedelta(days=BASELINE_DAYS)
        _write(Path(request["write_baseline"]), _baseline(folder, seen, expires))
        said.append(
            f"{request['write_baseline']}: {_leaks(len(seen))} known, until {expires}; fill in the reasons"
        )
    found = {each.signature for each in seen}
    said += [
        f"the baseline's {row.signature} was not found: remove it, if all tests were run"
        for row in allowed.baseline
        if row.signature not in found
    ]
    if allowed.budgets:
        kept = (findings_with(folder, each.signature) for each in seen)
        names = {leak.type_name for found_there in kept for leak in found_there.leaks}
        check_budgets(allowed.budgets, {*names, *request["type_names"]})
    return said


def _baseline(folder: Path, seen: Sequence[Seen], expires: datetime.date) -> str:
    return baseline_text((findings_with(folder, each.signature) for each in seen), expires=expires)


def _leaks(count: int) -> str:
    return "1 leak" if count == 1 else f"{count} leaks"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LeakscanError(f"cannot write {path}: {error.strerror}", hint="name another file") from error
