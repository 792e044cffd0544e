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
    findings = findings_to_check(what, runs=runs, mode=mode, python=python, budgets=budgets)
    today = datetime.date.today()
    if write_baseline is not None:
        if write_baseline.exists():
            raise UsageError(f"{write_baseline} exists", hint="name a new file, or remove it first")
        expires = today + datetime.timedelta(days=90)
        text = baseline_text(findings, expires=expires)
        _write(write_baseline, text)
        print(
            f"{write_baseline}: {text.count('[[known]]')} known leaks, until {expires}; fill in the reasons"
        )
        return 0
    answer = gate(findings, today=today, budgets=budgets, baseline=known, allows_stuck=not no_stuck)
    text = _formatted(answer, form)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
        print(answer.headline)
    if not answer.passes or (strict and answer.is_undecided):
        return exits.LEAKS_FOUND
    return 0


def _formatted(answer: Gate, form: Format) -> str:
    from leakscan.report.share.gate import github, in_repository, junit, sarif
    from leakscan.report.share.json import document
    from leakscan.report.text.gate import gate_text

    if form is Format.JSON:
        return document("check", answer)
    if form in (Format.GITHUB, Format.SARIF):
        # What reads these knows the repository, not the folder that the check ran in.
        answer = in_repository(answer, _folder_in_repository(Path.cwd(), os.environ))
    writers = {Format.TEXT: gate_text, Format.GITHUB: github, Format.JUNIT: junit, Format.SARIF: sarif}
    return writers[form](answer)


def _folder_in_repository(folder: Path, environment: Mapping[str, str]) -> str:
    """The folder as its repository (GITHUB_WORKSPACE, else where `.git` is) names it; "" for its root."""
    workspace = environment.get("GITHUB_WORKSPACE", "")
    roots = [Path(workspace).resolve()] if workspace else []
    roots += [each for each in (folder, *folder.parents) if (each / ".git").exists()][:1]
    root = next((each for each in roots if folder.is_relative_to(each)), folder)
    return "" if root == folder else folder.relative_to(root).as_posix()


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
