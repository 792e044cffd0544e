"""Runs leakscan on programs and scores what it says against their truth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .program import Program

INNOCENT = ("clean", "warm-up", "bounded", "garbage", "filling")
CHECKS = ("verdict", "named", "accused", "cut", "rate", "line", "whole")
"""named: at the front, not only under "also held by". accused: no innocent, and nothing unknown, was named
as a leak. whole: one leak was told as one. A check is None where it does not apply."""
PLAIN = {
    "str",
    "int",
    "dict",
    "list",
    "tuple",
    "type",
    "function",
    "method",
    "frame",
    "traceback",
    "coroutine",
}


@dataclass
class Score:
    seed: int
    truth: dict
    said: str = "?"
    checks: dict[str, bool | None] = field(default_factory=dict)
    by_leak: dict[str, dict[str, bool | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def judge(programs: list[Program], leakscan: str, *, python: str, jobs: int, keep: Path | None) -> int:
    scores = []
    for score in scored(programs, leakscan, python=python, jobs=jobs, keep=keep):
        scores.append(score)
        print(row(score), *score.notes, sep="\n        ", flush=True)
    _totals(scores)
    if keep:
        rows = [
            {"seed": s.seed, "said": s.said, "checks": s.checks, "by_leak": s.by_leak, "notes": s.notes}
            for s in scores
        ]
        (keep / "scores.json").write_text(json.dumps(rows, indent=1))
    return 0 if all(value is not False for s in scores for value in s.checks.values()) else 1


def scored(
    programs: list[Program], leakscan: str, *, python: str = "", jobs: int = 1, keep: Path | None = None
) -> Iterator[Score]:
    """The score of each program, in their order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda program: run_one(program, leakscan, python, keep), programs)


def run_one(program: Program, leakscan: str, python: str, keep: Path | None) -> Score:
    score = Score(program.seed, program.truth())
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep / f"{program.form}-{program.seed}" if keep else Path(temporary)
        program.write(folder)
        try:
            findings = _FORMS[program.form](folder, leakscan, python)
        except (subprocess.TimeoutExpired, ValueError) as error:
            findings = None
            score.notes.append(f"no answer: {str(error)[-400:]}")
        (folder / "findings.json").write_text(json.dumps(findings))
        score.seconds = time.monotonic() - start
        if findings is None:
            score.checks["verdict"] = False
        else:
            _score(score, findings, folder)
    return score


def _call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=180, cwd=folder, env=env
    )


def _by_capture(folder: Path, leakscan: str, python: str) -> dict:
    interpreter = ["--python", python] if python else []
    captured = _call(
        [leakscan, "capture", "scenario.py:run", "--runs", "20", *interpreter, "--overwrite", "-o", "cap"],
        folder,
    )
    if captured.returncode:
        raise ValueError(captured.stderr)
    shown = _call([leakscan, "diff", "cap"], folder)
    (folder / "diff.txt").write_text(shown.stdout + shown.stderr)
    return json.loads(_call([leakscan, "diff", "cap", "--json"], folder).stdout)


def _by_assert(folder: Path, leakscan: str, python: str) -> dict:
    done = _call([str(Path(leakscan).parent / "python"), "check.py"], folder)
    (folder / "diff.txt").write_text(done.stderr)
    if not done.stdout.startswith("{"):
        raise ValueError(done.stderr)
    return json.loads(done.stdout)


def _by_pytest(folder: Path, leakscan: str, python: str) -> dict:
    command = [
        str(Path(leakscan).parent / "python"),
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "test_leak.py",
    ]
    done = _call(command, folder)
    (folder / "diff.txt").write_text(done.stdout + done.stderr)
    if done.returncode not in (0, 1):
        raise ValueError(done.stdout + done.stderr)
    if "Unknown pytest.mark.leakscan" in done.stdout:
        raise ValueError("pytest does not find the plugin: nothing was asked")
    is_leak = done.returncode == 1
    if is_leak and "LEAK" not in done.stdout:
        raise ValueError(done.stdout)
    return {"verdict": "leak" if is_leak else "clean", "text": done.stdout if is_leak else "", "leaks": []}


_FORMS = {"capture": _by_capture, "assert": _by_assert, "pytest": _by_pytest}


def _score(score: Score, findings: dict, folder: Path) -> None:
    truth = score.truth
    score.said = str(findings["verdict"]).rpartition(".")[2].lower().replace("_", "-")
    if truth["verdict"] == "leak":
        score.checks["verdict"] = score.said == "leak"
    else:
        score.checks["verdict"] = score.said in INNOCENT or (
            truth["undecidable"] and score.said == "inconclusive"
        )
    printed = [p for p in findings["leaks"] if str(p["verdict"]).rpartition(".")[2].lower() == "leak"]
    text = findings.get("text", "")
    unexplained = list(printed)
    for leak in truth["leaks"]:
        if text:
            mine = {
                "named": any(re.search(r, text) for r in _patterns(leak))
                or any(re.search(rf"\b{n}\b", text) for n in leak["own"])
            }
        else:
            others = [other for other in truth["leaks"] if other is not leak]
            matching = [p for p in printed if _is_of(leak, p, others)]
            unexplained = [p for p in unexplained if p not in matching]
            mine = _one_leak(leak, matching, folder, score.notes)
        if mine["named"] is False:
            score.notes.append(f"{leak['family']}: not named")
        score.by_leak[leak["family"]] = mine
    for check in ("named", "cut", "rate", "line", "whole"):
        values = [mine.get(check) for mine in score.by_leak.values() if mine.get(check) is not None]
        score.checks[check] = all(values) if values else None
    accused = []
    for p in unexplained:
        where = next(
            (f for f, names in truth["innocents"].items() if any(_names(n, p) for n in names)), "unknown"
        )
        accused.append(where)
        score.notes.append(f"accused ({where}): {p['type_name']} {_label(p)} | {p['evidence']}")
    score.checks["accused"] = not accused
    score.by_leak.update({f"accused {where}": {} for where in accused})
    if not score.checks["verdict"]:
        score.notes.insert(0, f"said: {findings.get('headline', '')}")


def _one_leak(leak: dict, matching: list[dict], folder: Path, notes: list[str]) -> dict[str, bool | None]:
    if not matching:
        return {"named": False, "cut": None, "rate": None, "line": None, "whole": None}
    cuts = [[m["pattern"] for m in (p["cut"] or {"members": []})["members"]] for p in matching]
    is_right = any(_is_right(leak, cut) for cut in cuts) or (
        None if leak["by_threads"] and not any(cuts) else False
    )
    if is_right is False:
        notes.append(f"{leak['family']}: cuts {cuts[:3]}")
    rates = [r for r in (_rate(leak, p) for p in matching) if r is not None]
    rate = any(rates) if rates else None
    if rate is False:
        told = [(p["type_name"], p["count"], p["evidence"]) for p in matching][:3]
        notes.append(f"{leak['family']}: rate {told}, truth {leak['births']} x {leak['types']}")
    lines = [right for right in (_line(leak, p, folder) for p in matching) if right is not None]
    line = any(lines) if lines else None
    if line is False:
        notes.append(
            f"{leak['family']}: line "
            + ", ".join(f"{p['holder']['file']}:{p['holder']['line']}" for p in matching if p["holder"])
        )
    is_named = any(_is_named(leak, p) for p in matching)
    if len(matching) > 1:
        notes.append(
            f"{leak['family']}: in {len(matching)} pieces: " + ", ".join(p["type_name"] for p in matching)
        )
    return {"named": is_named, "cut": is_right, "rate": rate, "line": line, "whole": len(matching) == 1}


def _patterns(leak: dict) -> Iterator[str]:
    for cut in (leak["slots"], *leak["alternatives"]):
        for slot in cut:
            yield from slot


def _label(p: dict) -> str:
    return (p["holder"] or {}).get("label", "")


def _where(p: dict, *, others: bool = True) -> str:
    """All that is printed about where objects hang; `others`: with "also held by"."""
    paths = [p["path"], *(p["also_held_by"] if others else ())]
    steps = [
        f"{path.get('root', '')} "
        + " ".join(s["reference"] + ":" + s["type_name"] for s in path.get("steps", ()))
        for path in paths
        if path
    ]
    cut = [m["pattern"] for m in (p["cut"] or {"members": []})["members"]]
    return " | ".join([_label(p), *cut, *steps])


def _names(name: str, p: dict) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", p["type_name"] + " | " + _where(p)))


def _is_of(leak: dict, p: dict, others: list[dict]) -> bool:
    """Whether a printed leak is (also) about this one: by a type of its own, or by where it hangs.

    What is of a type of another leak alone is that one's: a name like `_callbacks` is on many paths.
    """
    if _has_its_type(leak, p):
        return True
    if any(_has_its_type(other, p) for other in others):
        return False
    return any(re.search(pattern, _where(p)) for pattern in _patterns(leak))


def _has_its_type(leak: dict, p: dict) -> bool:
    telling = [name for name in leak["types"] if name not in PLAIN]
    return any(re.search(rf"(?<!\w){name}(?!\w)", p["type_name"]) for name in telling)


def _is_named(leak: dict, p: dict) -> bool:
    """Named at the front, not only under "also held by"."""
    return _has_its_type(leak, p) or any(
        re.search(pattern, _where(p, others=False)) for pattern in _patterns(leak)
    )


def _is_right(leak: dict, cut: list[str]) -> bool:
    """A cut names each slot of one of the right cuts, and nothing else."""
    for right in (leak["slots"], *leak["alternatives"]):
        hits = [
            {at for at, slot in enumerate(right) if any(re.search(r, member) for r in slot)} for member in cut
        ]
        if cut and all(hits) and set().union(*hits) == set(range(len(right))):
            return True
    return False


def _rate(leak: dict, p: dict) -> bool | None:
    name = p["type_name"].rpartition(".")[2]
    most = leak["types"].get(name)
    if most is None or not leak["counted"]:
        return None
    # Of several that belong together the heads may be counted alone; payloads are of built-in types, too.
    return any(_fits(leak["births"], each, p) for each in range(1, most + (1 if name in leak["own"] else 3)))


def _fits(births: list[int], each: int, p: dict) -> bool:
    """Within 10 % over all runs, or since one of the first that left something."""
    total, runs = sum(births) * each, len(births)
    first = next(at for at, born in enumerate(births) if born)
    allowed = {total / (runs - since) for since in {first, *range(5)}} | {births[first] * float(each)}
    return abs(p["count"] - total) <= 0.1 * total + 1 and any(
        abs(p["rate"] - rate) <= 0.1 * rate for rate in allowed
    )


def _line(leak: dict, p: dict, folder: Path) -> bool | None:
    holder = p["holder"]
    if not holder or not holder["file"] or not holder["line"] or "__" in holder["label"]:
        return None  # what the interpreter makes has no line
    path = folder / holder["file"]
    if not path.exists() or folder.resolve() not in path.resolve().parents:
        return None  # a line of a library
    # Also right: the first line of a small function that touches the holder.
    near = "\n".join(path.read_text().splitlines()[holder["line"] - 1 : holder["line"] + 2])
    return any(re.search(pattern, near) for pattern in _patterns(leak))


def row(score: Score) -> str:
    marks = " ".join(
        f"{check}={'ok' if value else '-' if value is None else 'NO'}"
        for check in CHECKS
        for value in [score.checks.get(check)]
    )
    kinds = score.truth["families"]
    leaks = "+".join(leak["family"] for leak in score.truth["leaks"]) or "none"
    others = " ".join(f for f, kind in kinds.items() if kind != "leak")
    said = f"{score.seed:5} {score.truth['verdict']:8} said {score.said:12}"
    return f"{said} {marks}  {score.seconds:4.1f}s  [{leaks}] {others}"


def _totals(scores: list[Score]) -> None:
    print()
    for check in CHECKS:
        values = [s.checks.get(check) for s in scores if s.checks.get(check) is not None]
        print(f"{check:8} {sum(values)} of {len(values)}")
    for kind in ("leak", "innocent"):
        said = defaultdict(int)
        for s in scores:
            if s.truth["verdict"] == kind:
                said[s.said] += 1
        print(f"{kind:8}", ", ".join(f"{n} {verdict}" for verdict, n in sorted(said.items())))
    print("\nby family              programs, all right, failures")
    table = defaultdict(list)
    for s in scores:
        for family in s.truth["families"]:
            table[family].append(s)
    for family, kind in sorted(
        {(f, k) for s in scores for f, k in s.truth["families"].items()}, key=lambda x: (x[1], x[0])
    ):
        rows = table[family]
        right = sum(all(v is not False for v in s.checks.values()) for s in rows)
        fails = {"verdict": sum(s.checks["verdict"] is False for s in rows)}
        for check in ("named", "cut", "rate", "line", "whole"):
            fails[check] = sum(s.by_leak.get(family, {}).get(check) is False for s in rows)
        accused = sum(f"accused {family}" in s.by_leak for s in rows)
        tail = " ".join(f"{n} {check}" for check, n in fails.items() if n) + (
            f" {accused} accused" if accused else ""
        )
        print(f"{kind:8} {family:26} {len(rows):3} {right:3}   {tail}")
