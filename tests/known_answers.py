"""What an answer on a program with a known answer must say, one aspect at a time.

`known/expected.toml` holds the expectations. The tests ask once for each program; tools/known_rounds.py
asks again and again, under each interpreter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from extensions import build_boxes
from leakscan.analysis.headline import subject
from leakscan.analysis.results.findings import Findings, Leak, Verdict

KNOWN: Final = Path(__file__).parent / "known"
EXPECTED: Final[dict[str, dict[str, Any]]] = tomllib.loads((KNOWN / "expected.toml").read_text())
_HELD_BY_NO_REFERENCE: Final = "root"


def target_of(name: str) -> str:
    """What `leakscan capture` is given for this program."""
    return str(KNOWN / EXPECTED[name].get("target", f"{name}.py:run"))


def missing_for(name: str) -> str:
    """Why this program cannot run on this machine, "" when it can."""
    return build_boxes() if EXPECTED[name].get("needs") == "boxes" else ""


def problems(findings: Findings, name: str) -> list[str]:
    """Everything that is not as expected of this program."""
    return [
        f"{aspect}: {problem}"
        for aspect in aspects_of(name)
        if (problem := ASPECTS[aspect](findings, EXPECTED[name]))
    ]


def aspects_of(name: str) -> list[str]:
    """The aspects that `expected.toml` says something about."""
    expected = EXPECTED[name]
    asked = [aspect for aspect in ASPECTS if aspect in expected]
    if name.startswith("innocent_"):
        return [*asked, "no leak"]
    is_cuttable = _HELD_BY_NO_REFERENCE not in expected and expected.get("leaks", 1) == 1
    return [*asked, *(["one bug is one leak"] if "leaks" not in expected else []), *(["freed"] * is_cuttable)]


def _verdict(findings: Findings, expected: dict[str, Any]) -> str:
    allowed = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
    if _leaks_there(findings, expected):
        allowed = ["leak"]
    return "" if findings.verdict in allowed else f"{findings.verdict}: {findings.headline}"


def _type(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(_worst(findings).type_name.rpartition(".")[2], expected["type"])


def _rate(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(_worst(findings).rate, expected["rate"])


def _every_run(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(_worst(findings).every_run, expected["every_run"])


def _since(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(_worst(findings).first_run, expected["since"])


def _holder(findings: Findings, expected: dict[str, Any]) -> str:
    holder = _worst(findings).holder
    label = holder.label if holder else ""
    if not label.startswith(expected["holder"]):
        return f"{label!r}, not {expected['holder']!r}"
    return "" if f"held by {label}" in findings.headline else f"not in the first line: {findings.headline}"


def _file(findings: Findings, expected: dict[str, Any]) -> str:
    holder = _worst(findings).holder
    return _differs(Path(holder.file).name if holder else "", expected["file"])


def _names(findings: Findings, expected: dict[str, Any]) -> str:
    return "" if expected["names"] in findings.headline else f"no {expected['names']} in {findings.headline}"


def _root(findings: Findings, expected: dict[str, Any]) -> str:
    leak = _worst(findings)
    return _differs((leak.path.root, leak.holder, leak.cut), (expected["root"], None, None))


def _cuts(findings: Findings, expected: dict[str, Any]) -> str:
    cut = _worst(findings).cut
    if cut is None:
        return "there is none"
    found = sorted(member.pattern for member in cut.members)
    return _differs(found, sorted(expected["cuts"])) or ("" if cut.is_minimal else "not proved minimal")


def _leaks(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(len(_of_verdict(findings)), expected["leaks"])


def _one_leak(findings: Findings, expected: dict[str, Any]) -> str:
    found = _of_verdict(findings)
    return "" if len(found) == 1 else f"{len(found)}: {[(leak.type_name, leak.name) for leak in found]}"


def _freed(findings: Findings, expected: dict[str, Any]) -> str:
    leak = _worst(findings)
    if leak.cut is None:
        return "there is no cut"
    # What a worker has in hand is freed when it takes the next one.
    return _differs(
        (leak.cut.frees + leak.in_use, leak.cut.of), (expected.get("frees", leak.count), leak.count)
    )


def _called(findings: Findings, expected: dict[str, Any]) -> str:
    found = {}
    for leak in _of_verdict(findings):
        slot = leak.holder.label.removeprefix("Store.") if leak.holder else leak.path.root
        found[slot] = subject(leak).removeprefix("20 ")
    wrong = {slot: found.get(slot) for slot, name in expected["called"].items() if found.get(slot) != name}
    return f"{wrong}" if wrong else ""


def _signature(findings: Findings, expected: dict[str, Any]) -> str:
    return _differs(_worst(findings).signature, expected["signature"])


def _cycle_through(findings: Findings, expected: dict[str, Any]) -> str:
    through = {cycle.through_uncollected_type for cycle in findings.cycles}
    return "" if expected["cycle_through"] in through else f"{sorted(through)}"


def _leaks_there(findings: Findings, expected: dict[str, Any]) -> bool:
    """Whether the version of Python that was recorded makes a leak of it."""
    version = findings.runtime.rpartition(" ")[2]
    return any(version.startswith(f"{minor}.") for minor in expected.get("leaks_on", ()))


def _no_leak(findings: Findings, expected: dict[str, Any]) -> str:
    if _leaks_there(findings, expected):
        return ""
    found = [leak.type_name for leak in (*findings.leaks, *findings.others) if leak.verdict is Verdict.LEAK]
    return f"{found}: {findings.headline}" if found else ""


ASPECTS: Final[dict[str, Callable[[Findings, dict[str, Any]], str]]] = {
    "verdict": _verdict,
    "leaks": _leaks,
    "type": _type,
    "rate": _rate,
    "every_run": _every_run,
    "since": _since,
    "holder": _holder,
    "file": _file,
    "names": _names,
    "root": _root,
    "cuts": _cuts,
    "called": _called,
    "signature": _signature,
    "cycle_through": _cycle_through,
    "one bug is one leak": _one_leak,
    "freed": _freed,
    "no leak": _no_leak,
}


def _worst(findings: Findings) -> Leak:
    if not findings.leaks:
        raise AssertionError(f"nothing was found: {findings.headline}")
    return findings.leaks[0]


def _of_verdict(findings: Findings) -> list[Leak]:
    return [leak for leak in findings.leaks if leak.verdict is Verdict.LEAK]


def _differs(found: object, expected: object) -> str:
    return "" if found == expected else f"{found!r}, not {expected!r}"
