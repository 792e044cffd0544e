"""What an answer on a small input must say, one aspect at a time; `cases/expected.toml` holds the truth."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from leakscan.analysis.results.findings import Findings, Leak, Verdict

# Any in this file: rows of a TOML table.

TESTS: Final = Path(__file__).parent
CASES: Final[dict[str, dict[str, Any]]] = tomllib.loads((TESTS / "cases" / "expected.toml").read_text())
_FOLDERS: Final = {"leakgen": TESTS.parent / "tools" / "leakgen" / "cases"}


def target_of(case: str) -> str:
    """What `leakscan capture` is given; a case may be asked twice, with another number of runs after `@`."""
    folder, _, rest = case.partition("@")[0].partition("/")
    return str(_FOLDERS.get(folder, TESTS / "cases" / folder) / rest)


def aspects_of(case: str) -> list[str]:
    """The aspects that the table says something about."""
    truth = CASES[case]
    if "leaks" not in truth:
        return ["verdict", "told"]
    has_rate = any("rate" in leak for leak in truth["leaks"])
    has_lines = any("lines" in leak for leak in truth["leaks"])
    return ["verdict", "told", "cut", *["rate"] * has_rate, *["line"] * has_lines]


def wrong_today(case: str, aspect: str) -> dict[str, Any]:
    """Why this aspect is known to be wrong: a row with `why`, empty when it must be right."""
    here = "{}.{}".format(*sys.version_info)
    for row in (CASES[case].get("wrong", {}), CASES[case].get("wrong_on", {}).get(here, {})):
        if aspect in row.get("aspects", ()):
            return dict(row)
    return {}


def _verdict(findings: Findings, truth: dict[str, Any]) -> str:
    allowed = truth.get("verdict", ["leak"])
    return "" if findings.verdict in allowed else f"{findings.verdict}: {findings.headline}"


def _told(findings: Findings, truth: dict[str, Any]) -> str:
    """Each leak once, by its head or its slot, and nothing else."""
    told = list(leaks_of(findings))
    missing = [leak for leak in truth.get("leaks", ()) if not _pieces(leak, told)]
    split = [leak for leak in truth.get("leaks", ()) if len(_pieces(leak, told)) > 1]
    right = [one for leak in truth.get("leaks", ()) for one in _pieces(leak, told)]
    more = [] if truth.get("others") else [one for one in told if one not in right]
    wrong = [f"not told: {_short(leak)}" for leak in missing] + [
        f"in pieces: {_short(leak)}" for leak in split
    ]
    return "; ".join([*wrong, *(f"also told: {one.count} {one.type_name} {_label(one)}" for one in more)])


def _cut(findings: Findings, truth: dict[str, Any]) -> str:
    """Each cut names each slot that must go, and no other."""
    return "; ".join(_each(findings, truth, _wrong_cut))


def _rate(findings: Findings, truth: dict[str, Any]) -> str:
    return "; ".join(_each(findings, truth, _wrong_rate))


def _line(findings: Findings, truth: dict[str, Any]) -> str:
    return "; ".join(_each(findings, truth, _wrong_line))


ASPECTS: Final[dict[str, Callable[[Findings, dict[str, Any]], str]]] = {
    "verdict": _verdict,
    "told": _told,
    "cut": _cut,
    "rate": _rate,
    "line": _line,
}


def leaks_of(findings: Findings) -> Iterator[Leak]:
    """What is told as a leak."""
    return (leak for leak in findings.leaks if leak.verdict is Verdict.LEAK)


def patterns_of(leak: Leak) -> list[str]:
    """The cut as it is printed."""
    return [member.pattern for member in leak.cut.members] if leak.cut else []


def _each(
    findings: Findings, truth: dict[str, Any], wrong: Callable[[dict[str, Any], Leak], str]
) -> Iterator[str]:
    told = list(leaks_of(findings))
    for leak in truth["leaks"]:
        pieces = _pieces(leak, told)
        if not pieces:
            yield f"not told: {_short(leak)}"
        yield from (problem for one in pieces if (problem := wrong(leak, one)))


def _wrong_cut(leak: dict[str, Any], told: Leak) -> str:
    members, slots = patterns_of(told), leak["slots"]
    if not members and leak.get("cut") is False:
        return ""
    is_right = members and all(any(re.search(slot, member) for slot in slots) for member in members)
    is_whole = all(any(re.search(slot, member) for member in members) for slot in slots)
    return "" if is_right and is_whole else f"{told.type_name}: {members}"


def _wrong_rate(leak: dict[str, Any], told: Leak) -> str:
    """Within a tenth; a head may be counted for all that hangs on it."""
    if "rate" not in leak or not leak["rate"]:
        return ""
    is_right = abs(told.rate - leak["rate"]) <= 0.1 * leak["rate"]
    is_count = "count" not in leak or abs(told.count - leak["count"]) <= 1
    return "" if is_right and is_count else f"{told.count} {told.type_name}, {told.rate} per run"


def _wrong_line(leak: dict[str, Any], told: Leak) -> str:
    holder = told.holder
    if "lines" not in leak or holder is None or not holder.line:
        return ""
    line = f"{Path(holder.file).name}:{holder.line}"
    return "" if line in leak["lines"] else f"{told.type_name}: {line}"


def _pieces(leak: dict[str, Any], told: list[Leak]) -> list[Leak]:
    """What is told of this leak: by where it hangs, of a type that it has."""
    hits = [one for one in told if _hangs(leak, one)]
    return hits or [one for one in told if re.fullmatch(leak["type"], one.type_name.rpartition(".")[2])]


def _hangs(leak: dict[str, Any], told: Leak) -> bool:
    where = [_label(told), *patterns_of(told), told.path.root, *(step.reference for step in told.path.steps)]
    return any(re.search(slot, text) for slot in leak["slots"] for text in (*where, " ".join(where)))


def _label(told: Leak) -> str:
    return told.holder.label if told.holder else told.path.root


def _short(leak: dict[str, Any]) -> str:
    return f"{leak['type']} in {' and '.join(leak['slots'])}"
