"""Two findings, leak by leak: what a fix took away, what is left, and what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leakscan.analysis.ledger.native_leak import native_leak
from leakscan.analysis.results.findings import Findings, Leak, Path, Verdict
from leakscan.wording import rate_text, size_text

_SAME_WITHIN: Final = 0.1
"""Rates this close are the same, unless both are exact."""
_EVENTS_EXPECTED: Final = 3.0
"""With fewer expected, seeing none proves nothing: P(none) is then above 5 %."""


class Change(StrEnum):
    """What became of a leak from one capture to the next."""

    NEW = "new"
    LARGER = "larger"
    SAME = "same"
    SMALLER = "smaller"
    UNPROVED = "unproved"
    """not seen in the candidate, which has too few runs for it to show"""
    GONE = "gone"


class Outcome(StrEnum):
    """What two captures say together."""

    NO_LEAK = "no leak"
    """on neither side"""
    FIXED = "fixed"
    WORSE = "worse"
    NOT_FIXED = "not fixed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class LeakChange:
    """One leak of either side. Rates are survivors and bytes per run, 0 where it does not leak."""

    change: Change
    signature: str
    type_name: str
    holder: str
    rate_before: float
    rate_after: float
    bytes_per_run_before: float
    bytes_per_run_after: float
    evidence: str
    matched_by: str
    """"signature"; "slots" when the same places hold what is called differently; "type and holder" when the
    path is written differently in the two; "another of its holders" when one that was first is gone"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`is_fixed`: the candidate leaks nothing and could have shown it. `is_no_worse`: no leak is new
    or larger. `notes` say what the two captures differ in besides."""

    baseline_headline: str
    candidate_headline: str
    changes: tuple[LeakChange, ...]
    bytes_per_run_before: float
    bytes_per_run_after: float
    is_fixed: bool
    is_no_worse: bool
    outcome: Outcome
    headline: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparisonByMode:
    """Two captures of several modes: what changed in those that both have. `unmatched` are (mode, why) of the
    others."""

    modes: tuple[tuple[str, Comparison], ...]
    unmatched: tuple[tuple[str, str], ...]


def compare_modes(
    baseline: Mapping[str, Findings], candidate: Mapping[str, Findings], unread: Mapping[str, str]
) -> ComparisonByMode:
    """Mode by mode. `unread` are modes of either side without an answer, with the reason."""
    names = dict.fromkeys((*baseline, *candidate, *unread))
    common = tuple(
        (mode, compare(baseline[mode], candidate[mode]))
        for mode in names
        if mode in baseline and mode in candidate
    )
    compared = {mode for mode, _ in common}
    reasons = {
        mode: "only in the baseline" if mode in baseline else "only in the candidate" for mode in names
    }
    return ComparisonByMode(
        common, tuple((mode, unread.get(mode, reasons[mode])) for mode in names if mode not in compared)
    )


def compare(baseline: Findings, candidate: Findings) -> Comparison:
    """What changed between two captures; leaks are matched by signature, slots, kin or path."""
    before, after = _leaking(baseline), _leaking(candidate)
    changes = []
    for leak, partner, matched_by in _matched(before, after):
        changes.append(_change(leak, partner, baseline, candidate, matched_by))
    changes.sort(key=lambda row: (list(Change).index(row.change), -row.bytes_per_run_after, row.signature))
    undecided = candidate.verdict is Verdict.INCONCLUSIVE or any(
        row.change is Change.UNPROVED for row in changes
    )
    worse = any(row.change in (Change.NEW, Change.LARGER) for row in changes)
    is_fixed = not after and not undecided
    outcome = _outcome(changes, is_fixed=is_fixed, undecided=undecided)
    return Comparison(
        baseline.headline,
        candidate.headline,
        tuple(changes),
        sum(_bytes_per_run(leak, baseline) for leak in before),
        sum(_bytes_per_run(leak, candidate) for leak in after),
        is_fixed,
        is_no_worse=not worse and not undecided,
        outcome=outcome,
        headline=_headline(outcome, changes),
        notes=_notes(baseline, candidate),
    )


def _leaking(findings: Findings) -> list[Leak]:
    native = native_leak(findings)
    leaks = [leak for leak in findings.leaks if leak.verdict is Verdict.LEAK]
    return leaks if native is None else [*leaks, native]


def _matched(before: list[Leak], after: list[Leak]) -> list[tuple[Leak | None, Leak | None, str]]:
    rest = list(after)
    rows: list[tuple[Leak | None, Leak | None, str]] = []
    unmatched = []
    for leak in before:
        partner = next((other for other in rest if other.signature == leak.signature), None)
        if partner is None:
            unmatched.append(leak)
            continue
        rest.remove(partner)
        rows.append((leak, partner, "signature"))
    for leak in unmatched:
        partner = next((other for other in rest if _has_the_slots_of(leak, other)), None)
        how = "slots" if partner else ""
        if partner is None:
            partner = next((other for other in rest if _kin(other) == _kin(leak)), None)
            how = "type and holder" if partner else ""
        if partner is None:
            # Half a fix: what one holder let go of is the same leak, now written by the other one.
            partner = next((other for other in rest if _shares_a_place(leak, other)), None)
            how = "another of its holders" if partner else ""
        if partner is not None:
            rest.remove(partner)
        rows.append((leak, partner, how))
    return [*rows, *((None, leak, "") for leak in rest)]


def _has_the_slots_of(one: Leak, other: Leak) -> bool:
    """Whether the same slots hold both. A root's name, as `held from C`, may be written for any type."""
    if not one.slots or set(one.slots) != set(other.slots):
        return False
    return one.type_name == other.type_name or not all(slot.startswith("root ") for slot in one.slots)


def _kin(leak: Leak) -> tuple[str, str]:
    return leak.type_name, leak.holder.label if leak.holder else leak.path.root


def _shares_a_place(one: Leak, other: Leak) -> bool:
    if any(not slot.startswith("root ") for slot in set(one.slots) & set(other.slots)):
        return True
    if one.type_name != other.type_name:
        return False
    mine, others = ({_reading(path) for path in (leak.path, *leak.also_held_by)} for leak in (one, other))
    return bool(mine & others)


def _reading(path: Path) -> tuple[str, tuple[tuple[str, str], ...]]:
    return path.root, tuple((step.reference, step.type_name) for step in path.steps)


def _change(
    leak: Leak | None, partner: Leak | None, baseline: Findings, candidate: Findings, matched_by: str
) -> LeakChange:
    shown = partner or leak
    assert shown is not None
    before, after = leak.rate if leak else 0.0, partner.rate if partner else 0.0
    size_before = _bytes_per_run(leak, baseline) if leak else 0.0
    size_after = _bytes_per_run(partner, candidate) if partner else 0.0
    if leak is None:
        change, evidence = Change.NEW, shown.evidence
    elif partner is None:
        change, evidence = _absence(leak, candidate)
    elif leak.growth_bytes:
        change = _by_size(size_before, size_after)
        evidence = f"{size_text(size_before)} per run before, {size_text(size_after)} after"
    else:
        change = _by_rate(leak, partner)
        evidence = f"{rate_text(before)} per run before, {rate_text(after)} after"
    if leak is not None and partner is not None and _kin(leak)[1] != _kin(partner)[1]:
        evidence += f"; {_kin(leak)[1]} let go of it, {_kin(partner)[1]} still holds it"
    return LeakChange(
        change=change,
        signature=shown.signature,
        type_name=shown.type_name,
        holder=_kin(shown)[1],
        rate_before=before,
        rate_after=after,
        bytes_per_run_before=size_before,
        bytes_per_run_after=size_after,
        evidence=evidence,
        matched_by=matched_by,
    )


def _absence(leak: Leak, candidate: Findings) -> tuple[Change, str]:
    # One object that grows does so in every run, or it would not have been called a leak.
    expected = (1.0 if leak.growth_bytes else leak.rate) * candidate.runs
    if expected >= _EVENTS_EXPECTED:
        return Change.GONE, f"none in {candidate.runs} runs, {rate_text(round(expected, 1))} expected"
    needed = int(_EVENTS_EXPECTED / leak.rate) + 1 if leak.rate > 0 else 60
    return Change.UNPROVED, f"none in {candidate.runs} runs, but it takes {needed} to show"


def _by_rate(leak: Leak, partner: Leak) -> Change:
    if leak.every_run and partner.every_run:
        tolerance = 0.0
    else:
        tolerance = _SAME_WITHIN * max(leak.rate, partner.rate)
    if abs(leak.rate - partner.rate) <= tolerance:
        return Change.SAME
    return Change.SMALLER if partner.rate < leak.rate else Change.LARGER


def _by_size(before: float, after: float) -> Change:
    if abs(before - after) <= _SAME_WITHIN * max(before, after):
        return Change.SAME
    return Change.SMALLER if after < before else Change.LARGER


def _bytes_per_run(leak: Leak, findings: Findings) -> float:
    return leak.exclusive_bytes / max(1, findings.runs)


def listed(changes: Sequence[LeakChange]) -> str:
    """How many leaks changed in which way: `1 new, 2 gone`."""
    counts = Counter(row.change for row in changes)
    return ", ".join(f"{counts[change]} {change.value}" for change in Change if counts[change])


def _outcome(changes: list[LeakChange], *, is_fixed: bool, undecided: bool) -> Outcome:
    if is_fixed:
        return Outcome.FIXED if changes else Outcome.NO_LEAK
    if any(row.change in (Change.NEW, Change.LARGER) for row in changes):
        return Outcome.WORSE
    return Outcome.UNDECIDED if undecided else Outcome.NOT_FIXED


def _headline(outcome: Outcome, changes: list[LeakChange]) -> str:
    match outcome:
        case Outcome.NO_LEAK:
            return "PASS  neither side leaks"
        case Outcome.FIXED:
            return f"PASS  fixed: {listed(changes)}"
        case Outcome.UNDECIDED:
            nothing = "no leak on either side, and the candidate is inconclusive"
            return f"UNDECIDED  {listed(changes) or nothing}"
    return f"FAIL  {outcome.value}: {listed(changes)}"


def _notes(baseline: Findings, candidate: Findings) -> tuple[str, ...]:
    pairs = (
        ("target", baseline.target, candidate.target),
        ("mode", baseline.mode, candidate.mode),
        ("runtime", baseline.runtime, candidate.runtime),
        ("runs", str(baseline.runs), str(candidate.runs)),
        ("identity", baseline.identity, candidate.identity),
    )
    return tuple(f"{what} differs: {old} before, {new} after" for what, old, new in pairs if old != new)
