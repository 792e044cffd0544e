"""One capture for each small input, shared by everything that is asked about its answer."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import leakscan
from asked import FULL
from case_truths import ASPECTS, CASES, aspects_of, patterns_of, target_of, wrong_today
from conservation import lost_in_causes
from forked import Command
from leakscan.analysis.results.findings import Findings
from leakscan.capture import read_capture
from leakscan.cli import main
from leakscan.heap.reader import load

# Any in this file: rows of a TOML table, and JSON.

LONGEST_SECONDS = 240
_VERSION = "{}.{}".format(*sys.version_info)


def names(folder: str, *, runtime: str = "py") -> list[str]:
    """The inputs of this folder that are asked now."""
    return [
        case
        for case, truth in CASES.items()
        if case.startswith(f"{folder}/")
        and (".mjs:" in case) == (runtime == "mjs")
        and (FULL or not truth.get("full"))
        and not truth.get("special")
        and _VERSION in truth.get("only", (_VERSION,))
    ]


def asked(cases: list[str], *extra: str) -> list[Any]:
    """(case, aspect) for parametrize; what is known to be wrong must fail."""
    rows = [(case, aspect) for case in cases for aspect in (*aspects_of(case), *extra)]
    return [
        pytest.param(case, aspect, id=f"{case}-{aspect}", marks=_marks(wrong_today(case, aspect)))
        for case, aspect in rows
    ]


def _marks(wrong: dict[str, Any]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(strict=not wrong.get("sometimes"), reason=wrong["why"])] if wrong else []


def marked(case: str, aspects: list[str]) -> list[Any]:
    """Aspects that have a test of their own."""
    return [pytest.param(aspect, marks=_marks(wrong_today(case, aspect))) for aspect in aspects]


@dataclass(frozen=True)
class Answered:
    """A captured case. Nothing is computed before it is asked."""

    case: str
    directory: Path

    @cached_property
    def findings(self) -> Findings:
        return leakscan.diff(self.directory).findings

    def problem(self, aspect: str) -> str:
        """What is wrong with this aspect of the answer, "" when it is right."""
        if aspect in ASPECTS:
            return ASPECTS[aspect](self.findings, CASES[self.case])
        more = {
            "check": self._check,
            "whatif": self._whatif,
            "proof": self._proof,
            "conserved": self._conserved,
        }
        return more[aspect]()

    def _conserved(self) -> str:
        """Births of each type, summed over causes, are those of its survivors."""
        captured = read_capture(self.directory)
        before, after = load(captured.before), load(captured.after)
        lost, added = lost_in_causes(before, after, runs=captured.runs_completed)
        return f"lost {dict(lost)}, added {dict(added)}" if lost or added else ""

    def _check(self) -> str:
        wanted = 1 if "leaks" in CASES[self.case] else 0
        code, text = called("check", str(self.directory))
        return "" if code == wanted else f"exit {code}: {text}"

    def _whatif(self) -> str:
        """Every cut that is printed is accepted, and frees what is said."""
        wrong = []
        cuts = [(leak.cut, leak.growth_bytes) for leak in self.findings.leaks]
        for cut, growth in [*cuts, (self.findings.cut, 0)]:
            if cut is None:
                continue
            patterns = [member.pattern for member in cut.members]
            asked_for = [part for pattern in patterns for part in ("--cut", pattern)]
            code, text = called("whatif", str(self.directory), *asked_for, "--json")
            if code:
                wrong.append(f"{patterns}: {text}")
                continue
            answer = json.loads(text)
            freed = answer["frees"] if growth else answer["frees_survivors"]
            if freed < cut.frees:
                wrong.append(f"{patterns}: frees {freed}, not {cut.frees}")
        return "; ".join(wrong)

    def _proof(self) -> str:
        """The cut that is printed first was applied in a forked child, and freed all that was said."""
        wanted = CASES[self.case].get("proof")
        said = self.findings.proof
        if wanted and wanted in said:
            return ""
        if self.findings.cut is None and not any(patterns_of(leak) for leak in self.findings.leaks[:1]):
            return ""
        proof = read_capture(self.directory).proof
        is_proved = proof is not None and not proof.failed and proof.freed == proof.of > 0
        return "" if is_proved else said or "it was not tried"


def called(*arguments: str) -> tuple[int, str]:
    """(exit code, what a command printed; with what it complained of where it failed)."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main(list(arguments))
    return code, out.getvalue() + (errors.getvalue() if code else "")


class Answers:
    """Answers by case, captured on first use; what failed once is not tried again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Answered | AssertionError] = {}

    def __call__(self, case: str) -> Answered:
        if case not in self._known:
            try:
                self._known[case] = _answered(case, self._folder)
            except AssertionError as error:
                self._known[case] = error
        found = self._known[case]
        if isinstance(found, AssertionError):
            raise found
        return found


def _answered(case: str, folder: Path) -> Answered:
    """A capture of this case as a user makes it, in a process of its own: one that hangs is ended."""
    truth = CASES[case]
    for module in [truth["needs"]] if "needs" in truth else []:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    directory = folder / case.replace("/", "_").replace(":", "_")
    how = ["--runs", str(truth.get("runs", 20)), *["--prove"] * (".mjs:" not in case)]
    output = folder / "said.txt"
    process = Command("capture", target_of(case), *how, "--output", str(directory), said=output)
    code = process.ended(timeout_seconds=truth.get("seconds", LONGEST_SECONDS))
    if code is None:
        for child in descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.kill()
        raise AssertionError(f"the capture of {case} did not end")
    assert code == 0, output.read_text()
    return Answered(case, directory)


def descendants(pid: int) -> list[int]:
    """Children and theirs: a target has a session of its own, and would outlive its capture."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [found for child in children for found in (int(child), *descendants(int(child)))]
