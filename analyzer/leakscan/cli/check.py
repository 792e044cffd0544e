"""`leakscan check`: a gate for CI."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from leakscan.cli import exits
from leakscan.cli.parameters import argument, option
from leakscan.cli.project_python import chosen_python

if TYPE_CHECKING:
    import datetime

    from leakscan.analysis.gate import Gate

EXAMPLES = (
    "leakscan check leak/",
    "leakscan check scenario.py:stream_once --runs 30 --budget total=10kB",
    "leakscan check leak/ --no-stuck",
    "leakscan check leak/ --baseline known.toml --format sarif -o leaks.sarif",
)


class Format(StrEnum):
    """What `--format` may be."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"
    SARIF = "sarif"


def check(
    what: Annotated[str, argument(metavar="DIR | TARGET", help="A capture, or a scenario to capture.")],
    runs: Annotated[int, option("--runs", "-n", help="Counted runs of a scenario.")] = 20,
    mode: Annotated[str, option(help="How its streams end; `all`: every way in turn.")] = "consume",
    python: Annotated[
        str | None,
        option(metavar="PATH", help="Interpreter or virtual environment of a scenario, as `capture` has it."),
    ] = None,
    budget: Annotated[
        list[str] | None,
        option(
            metavar="WHAT=N",
            help="Allowed per run: Type=0.5, SIGNATURE=20kB, total=10kB; by request: ROUTE=1kB.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None, option(metavar="FILE", help="Known leaks, which do not fail the check.")
    ] = None,
    write_baseline: Annotated[
        Path | None, option(metavar="FILE", help="Write the leaks found as a baseline, and pass.")
    ] = None,
    strict: Annotated[bool, option("--strict", help="An undecided verdict fails, too.")] = False,
    no_stuck: Annotated[
        bool, option("--no-stuck", help="Tasks and threads that can never wake fail, too.")
    ] = False,
    form: Annotated[Format, option("--format", help="How to write the answer.")] = Format.TEXT,
    output: Annotated[Path | None, option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
) -> int:
    """Fail when a capture, or a scenario, leaks more than is allowed.

    Exit code 0: nothing leaks, or only what is known or within a budget. 1: it leaks. 2: it could not run.
    """
    import datetime

    from leakscan.analysis.gate import baseline_text, gate, parse_baseline, parse_budget
    from leakscan.answers.check import findings_to_check
    from leakscan.errors import UsageError

    budgets = [parse_budget(text) for text in budget or ()]
    known = parse_baseline(_read(baseline), str(baseline)) if baseline else ()
    if not Path(what).exists():
        python = chosen_python(python, what)
    if write_baseline is not None and write_baseline.exists():
        raise UsageError(f"{write_baseline} exists", hint="name a new file, or remove it first")
    findings = findings_to_check(what, runs=runs, mode=mode, python=python, budgets=budgets)
    today = datetime.date.today()
    if write_baseline is not None:
        expires = today + datetime.timedelta(days=90)
        text = baseline_text(findings, expires=expires)
        _write(write_baseline, text)
        print(_written(write_baseline, text, expires))
        return 0
    answer = gate(findings, today=today, budgets=budgets, baseline=known, allows_stuck=not no_stuck)
    if form in (Format.GITHUB, Format.SARIF):
        answer = _in_repository(answer, what)
    text = _formatted(answer, form)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
        print(answer.headline)
    if not answer.passes or (strict and answer.is_undecided):
        return exits.LEAKS_FOUND
    return 0


def _written(path: Path, text: str, expires: datetime.date) -> str:
    """What a baseline that was just written makes known."""
    import tomllib

    rows = tomllib.loads(text).get("known", [])
    if not rows:
        return f"{path}: nothing leaks, so that nothing is known"
    count = "1 known leak" if len(rows) == 1 else f"{len(rows)} known leaks"
    named = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")][1:]
    leaks = [f"  {row['signature']}  {what}" for row, what in zip(rows, named, strict=True)]
    return "\n".join([f"{path}: {count}, until {expires}; fill in the reasons", *leaks])


def _formatted(answer: Gate, form: Format) -> str:
    from leakscan.report.share.gate import github, junit, sarif
    from leakscan.report.share.json import document
    from leakscan.report.text.gate import gate_text

    if form is Format.JSON:
        return document("check", answer)
    writers = {Format.TEXT: gate_text, Format.GITHUB: github, Format.JUNIT: junit, Format.SARIF: sarif}
    return writers[form](answer)


def _in_repository(answer: Gate, what: str) -> Gate:
    """What reads these formats knows the repository, not the folders that capture and check ran in."""
    from leakscan.answers.check import started_in
    from leakscan.report.share.gate import in_repository

    here = Path.cwd()
    root = _repository(here, os.environ)
    folder = started_in(what)
    if not folder or not Path(folder).is_relative_to(root):
        # Captured on another machine, or of none that is known: the same folder here.
        folder = str(here)
    return in_repository(answer, root=str(root), folder=folder)


def _repository(folder: Path, environment: Mapping[str, str]) -> Path:
    """Root of the repository that the folder is in: GITHUB_WORKSPACE, else where `.git` is, else itself."""
    workspace = environment.get("GITHUB_WORKSPACE", "")
    roots = [Path(workspace).resolve()] if workspace else []
    roots += [each for each in (folder, *folder.parents) if (each / ".git").exists()][:1]
    return next((each for each in roots if folder.is_relative_to(each)), folder)


def _read(path: Path) -> str:
    from leakscan.errors import UsageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="--write-baseline makes one") from error


def _write(path: Path, text: str) -> None:
    from leakscan.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name another file") from error
