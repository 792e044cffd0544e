"""A gate for CI: which leaks are allowed, which are known, which make the check fail.

A budget allows so much growth per run, of a type, of one leak by signature, or of everything. A baseline
is a list of known leaks by signature, each with a reason and a day on which it stops being an excuse.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from leakscan.analysis.ledger.native_leak import TYPE_NAME as NATIVE
from leakscan.analysis.ledger.native_leak import native_leak
from leakscan.analysis.results.findings import Findings, Leak, Verdict
from leakscan.analysis.results.waits import WaitGroup
from leakscan.analysis.stuck.words import named
from leakscan.errors import UsageError
from leakscan.units import parse_size
from leakscan.wording import rate_text, size_text, visible

_BUDGET: Final = re.compile(r"\s*(?P<what>.+?)\s*=\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-zA-Z]*)\s*")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{8}")
_TYPE: Final = re.compile(r"[^\s/]+")
"""A work has a blank or a slash in its name: `POST /chat`, `job export`."""
ANY: Final = "total"


class Status(StrEnum):
    """What the gate makes of a leak: the first two fail it."""

    NEW = "new"
    EXPIRED = "expired"
    KNOWN = "known"
    WITHIN_BUDGET = "within budget"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be left per run of a type, a leak, or in total, or per request of a work: objects or bytes."""

    what: str
    per_run: float | None
    bytes_per_run: float | None


@dataclass(frozen=True, slots=True)
class KnownLeak:
    """A row of the baseline. `expires` is the last day on which it counts; None: it never ends."""

    signature: str
    reason: str
    expires: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Gated:
    """One leak as the gate sees it; `why` is the known leak's reason, or the budget it keeps."""

    leak: Leak
    mode: str
    status: Status
    why: str

    @property
    def fails(self) -> bool:
        return self.status in (Status.NEW, Status.EXPIRED)


@dataclass(frozen=True, slots=True)
class StuckWait:
    """Tasks or threads of one mode that can never wake: each fails a check that allows none."""

    group: WaitGroup
    mode: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The answer of the gate. `is_undecided`: at least one capture could not be decided."""

    target: str
    headline: str
    leaks: tuple[Gated, ...]
    warnings: tuple[str, ...]
    is_undecided: bool
    stuck: tuple[StuckWait, ...] = ()
    """who can never wake, when that was asked to fail (`--no-stuck`): budgets and baselines allow none"""

    @property
    def passes(self) -> bool:
        return not self.stuck and not any(gated.fails for gated in self.leaks)


def parse_budget(text: str) -> Budget:
    """`ModelOutput=0.5` (objects per run), `3f9a1c22=20kB` or `total=10kB` (bytes). UsageError otherwise."""
    match = _BUDGET.fullmatch(text)
    if match is None:
        raise UsageError(f"not a budget: {text!r}", hint="write ModelOutput=0.5, native=100kB or total=10kB")
    if match["unit"]:
        return Budget(match["what"], None, float(parse_size(match["number"] + match["unit"])))
    if match["what"] == ANY:
        raise UsageError(f"not a budget: {text!r}", hint="the total is in bytes per run: total=10kB")
    return Budget(match["what"], float(match["number"]), None)


def check_works(budgets: Sequence[Budget], runtimes: Iterable[str]) -> None:
    """UsageError: a budget is of a work, and all that was captured is of Node, which knows none."""
    named = [budget.what for budget in budgets if not _TYPE.fullmatch(budget.what) and budget.what != ANY]
    runtimes = list(runtimes)
    if named and runtimes and all(runtime.startswith("v8") for runtime in runtimes):
        raise UsageError(
            f"budget {named[0]}: Node does not say in which request an object was made",
            hint="name a class, or capture one route at a time",
        )


def check_budgets(budgets: Sequence[Budget], type_names: Iterable[str]) -> None:
    """UsageError: a budget is of a type that is none of `type_names`; with the nearest one.

    Signatures and works are not checked: a leak may be gone, and a request may not have come.
    """
    known = {*type_names, NATIVE}
    for budget in budgets:
        what = budget.what
        if what == ANY or _SIGNATURE.fullmatch(what) or not _TYPE.fullmatch(what):
            continue
        if not any(name == what or name.endswith("." + what) for name in known):
            # As long as it is written: `chat.Sesion` is near to `chat.Session`, `Sesion` to `Session`.
            parts = what.count(".") + 1
            written = sorted({".".join(name.split(".")[-parts:]) for name in known})
            near = get_close_matches(what, written, n=1, cutoff=0.5)
            raise UsageError(
                f"budget {what}: no object has a type of that name",
                hint=f"nearest: {near[0]}" if near else "types are named from their end: ModelOutput=0.5",
            )


def parse_baseline(text: str, name: str) -> tuple[KnownLeak, ...]:
    """The rows of a baseline file. UsageError says which row is wrong."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{name} is not a baseline: {error}", hint="docs/howto/gate-in-ci.md shows one"
        ) from error
    unknown = sorted(set(content) - {"known"})
    if unknown:
        raise UsageError(f"{name}: unknown key {unknown[0]!r}", hint="each leak is a [[known]] table")
    rows = content.get("known", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{name}: known is no table of its own", hint="each leak is a [[known]] table")
    return tuple(_known(row, f"{name}: [[known]] {number}") for number, row in enumerate(rows, 1))


def baseline_text(findings: Iterable[Findings], *, expires: datetime.date) -> str:
    """A baseline file that makes every leak of the findings known until `expires`."""
    rows = {
        leak.signature: f"{leak.name or leak.type_name}, held by {_holder_of(leak)}"
        for found in findings
        for leak in (*found.leaks, native_leak(found))
        if leak is not None and leak.verdict is Verdict.LEAK
    }
    parts = ["# Known leaks: `leakscan check --baseline` does not fail on them until they expire.\n"]
    for signature, what in sorted(rows.items()):
        row = f'[[known]]\n# {visible(what)}\nsignature = "{signature}"\nreason = ""\n'
        parts.append(f"{row}expires = {expires.isoformat()}\n")
    return "\n".join(parts)


def gate(
    findings: Sequence[Findings],
    *,
    today: datetime.date,
    budgets: Sequence[Budget] = (),
    baseline: Sequence[KnownLeak] = (),
    allows_stuck: bool = True,
) -> Gate:
    """Judge the findings of one capture (one for each mode) against what is allowed."""
    by_signature = {row.signature: row for row in baseline}
    gated: list[Gated] = []
    for found in findings:
        for leak in found.leaks:
            if leak.verdict is Verdict.LEAK:
                gated.append(_gated(leak, found, by_signature, budgets, today))
            elif leak.verdict is Verdict.INCONCLUSIVE:
                gated.append(Gated(leak, found.mode, Status.UNDECIDED, leak.evidence))
        if (native := native_leak(found)) is not None:
            gated.append(_gated(native, found, by_signature, budgets, today))
    seen = {item.leak.signature for item in gated}
    warnings = [
        f"the baseline's {row.signature} was not found: remove it"
        for row in baseline
        if row.signature not in seen
    ]
    warnings += [
        f"the baseline's {item.leak.signature} expired: {item.why}"
        for item in gated
        if item.status is Status.EXPIRED
    ]
    warnings += [warning for found in findings for warning in found.warnings]
    stuck = () if allows_stuck else tuple(_stuck_waits(findings))
    undecided = [found for found in findings if found.verdict is Verdict.INCONCLUSIVE]
    warnings += [f"undecided: {found.headline}" for found in undecided]
    return Gate(
        target=findings[0].target,
        headline=_headline(gated, findings, stuck),
        leaks=tuple(gated),
        warnings=tuple(warnings),
        is_undecided=bool(undecided),
        stuck=stuck,
    )


def _stuck_waits(findings: Sequence[Findings]) -> Iterator[StuckWait]:
    for found in findings:
        if found.stuck is not None:
            yield from (StuckWait(group, found.mode) for group in found.stuck.groups)


def _holder_of(leak: Leak) -> str:
    return leak.holder.label if leak.holder else leak.path.root


def _known(row: dict[str, Any], place: str) -> KnownLeak:  # Any: TOML values
    unknown = sorted(set(row) - {"signature", "reason", "expires"})
    if unknown:
        raise UsageError(f"{place}: unknown key {unknown[0]!r}", hint="signature, reason, expires")
    if not isinstance(row.get("signature"), str) or not isinstance(row.get("reason"), str):
        raise UsageError(f"{place} needs a signature and a reason", hint="both are texts")
    expires = row.get("expires")
    if expires is not None and type(expires) is not datetime.date:
        raise UsageError(f"{place}: expires is not a day", hint="write expires = 2027-01-31")
    return KnownLeak(row["signature"], row["reason"], expires)


def _gated(
    leak: Leak,
    found: Findings,
    known: dict[str, KnownLeak],
    budgets: Sequence[Budget],
    today: datetime.date,
) -> Gated:
    row = known.get(leak.signature)
    if row is not None and (row.expires is None or today <= row.expires):
        return Gated(leak, found.mode, Status.KNOWN, row.reason)
    budget = next((b for b in budgets if _keeps(leak, found, b)), None)
    of_works = None if budget is not None else _budget_of_works(leak, found, budgets)
    if budget is not None:
        return Gated(leak, found.mode, Status.WITHIN_BUDGET, _allowed(budget, each="run"))
    if of_works is not None:
        return Gated(leak, found.mode, Status.WITHIN_BUDGET, _allowed(of_works, each="request"))
    if row is not None:
        return Gated(leak, found.mode, Status.EXPIRED, f"{row.expires}: {row.reason}")
    return Gated(leak, found.mode, Status.NEW, "")


def _keeps(leak: Leak, found: Findings, budget: Budget) -> bool:
    if budget.what == ANY:
        leaks = (*(each for each in found.leaks if each.verdict is Verdict.LEAK), native_leak(found))
        total = sum(each.exclusive_bytes + each.native_bytes for each in leaks if each is not None)
        return total / max(found.runs, 1) <= (budget.bytes_per_run or 0.0)
    if budget.what != leak.signature and not _is_type(leak, budget.what):
        return False
    if budget.per_run is not None:
        return leak.rate <= budget.per_run and leak.type_name != NATIVE
    grown = leak.exclusive_bytes + leak.native_bytes
    return grown / max(found.runs, 1) <= (budget.bytes_per_run or 0.0)


def _budget_of_works(leak: Leak, found: Findings, budgets: Sequence[Budget]) -> Budget | None:
    """The budget of the leak's work; None unless each of its works has one and keeps it, by what began."""
    left = {share.name: share for share in found.works}
    kept = []
    for share in leak.works:
        budget = next((each for each in budgets if each.what == share.name), None)
        all_of_it = left.get(share.name)
        if budget is None or all_of_it is None or not all_of_it.begun:
            return None
        if budget.per_run is not None and all_of_it.survivors / all_of_it.begun > budget.per_run:
            return None
        if budget.bytes_per_run is not None and all_of_it.bytes / all_of_it.begun > budget.bytes_per_run:
            return None
        kept.append(budget)
    return kept[0] if kept else None


def _is_type(leak: Leak, name: str) -> bool:
    return leak.type_name == name or leak.type_name.endswith("." + name)


def _allowed(budget: Budget, *, each: str) -> str:
    amount = size_text(budget.bytes_per_run or 0.0) if budget.per_run is None else rate_text(budget.per_run)
    return f"{amount} per {each} of {budget.what} allowed"


def _headline(gated: Sequence[Gated], findings: Sequence[Findings], stuck: Sequence[StuckWait]) -> str:
    failing = [item for item in gated if item.fails]
    if failing:
        worst = max(failing, key=lambda item: item.leak.exclusive_bytes)
        found = next(f for f in findings if f.mode == worst.mode)
        more = f" {len(failing)} leaks fail the check; this is the worst." if len(failing) > 1 else ""
        return (
            f"FAIL  {found.headline}{more}"
            if found.verdict in (Verdict.LEAK, Verdict.NATIVE)
            else f"FAIL  {worst.leak.evidence}"
        )
    if stuck:
        groups = [wait.group for wait in stuck]
        who = named(sum(group.count for group in groups), groups)
        return f"FAIL  STUCK  {who} can never wake."
    allowed = [item for item in gated if item.status in (Status.KNOWN, Status.WITHIN_BUDGET)]
    if allowed:
        if len(allowed) == 1:
            return "PASS  1 leak, known or within a budget."
        return f"PASS  {len(allowed)} leaks, all of them known or within a budget."
    undecided = [found for found in findings if found.verdict is Verdict.INCONCLUSIVE]
    return f"PASS  {(undecided or list(findings))[0].headline}"
