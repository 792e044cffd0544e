"""Whether a capture, or a scenario that is captured now, leaks more than is allowed."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path

from leakscan.analysis.gate import Budget, Gate, KnownLeak, check_budgets, check_works, gate
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import bare_snapshots, sources_of
from leakscan.capture import Settings, capture, capture_modes
from leakscan.capture.directory.reader import read_captures
from leakscan.errors import CaptureError, UsageError
from leakscan.heap.reader import load

ALL_MODES = "all"


def check(
    what: str | Path,
    *,
    runs: int = 20,
    mode: str = "consume",
    python: str | None = None,
    budgets: Sequence[Budget] = (),
    baseline: Sequence[KnownLeak] = (),
    today: datetime.date | None = None,
    allows_stuck: bool = True,
) -> Gate:
    """The gate's answer for a capture, a capsule or a scenario: `leakscan.check("leak/").passes`."""
    findings = findings_to_check(str(what), runs=runs, mode=mode, python=python, budgets=budgets)
    return gate(
        findings,
        today=today or datetime.date.today(),
        budgets=budgets,
        baseline=baseline,
        allows_stuck=allows_stuck,
    )


def findings_to_check(
    what: str, *, runs: int, mode: str, python: str | None = None, budgets: Sequence[Budget] = ()
) -> list[Findings]:
    """The findings of every mode of a capture or capsule, or of a scenario that is captured for it.

    A mode that does not apply is none; another capture that is not complete is a CaptureError. UsageError:
    one of the budgets is of a type that no object has; a capsule does not know that.
    """
    if capsule_at([Path(what)]) is not None:
        return analysed([Path(what)])[0]
    if Path(what).is_dir():
        findings = _of_directory(Path(what))
        _check_types(Path(what), findings, budgets)
        return findings
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        output = Path(folder) / "capture"
        settings = Settings(runs=runs)
        if mode == ALL_MODES:
            capture_modes(what, output=output, python=python, settings=settings)
        else:
            capture(what, output=output, mode=mode, python=python, settings=settings)
        findings = _of_directory(output)
        _check_types(output, findings, budgets)
        return findings


def started_in(what: str) -> str:
    """The folder that a capture was started in, from which its files are named; "" where none says so."""
    directory = Path(what)
    if not directory.is_dir() or bare_snapshots(directory):
        return ""
    return next((each.started_in for each in read_captures(directory) if each.started_in), "")


def _check_types(directory: Path, findings: Sequence[Findings], budgets: Sequence[Budget]) -> None:
    """Whole snapshots are read for it only where the findings do not name what a budget names."""
    check_works(budgets, [found.runtime for found in findings])
    names = {leak.type_name for found in findings for leak in found.leaks}
    names |= {row.type_name for found in findings for row in found.growth}
    names |= {share.name for found in findings for share in found.works}
    try:
        check_budgets(budgets, names)
    except UsageError:
        for source in sources_of([directory])[0]:
            for snapshot in (source.before, source.after):
                if snapshot is not None:
                    graph = load(snapshot, columns=())
                    if graph.runtime == "v8":
                        return  # where a class without objects has no name: its leak may be mended
                    names |= set(graph.type_names)
        check_budgets(budgets, names)


def _of_directory(directory: Path) -> list[Findings]:
    captures = () if bare_snapshots(directory) else read_captures(directory)
    for each in captures:
        if each.status not in ("complete", "not-applicable"):
            raise CaptureError(
                f"{each.directory} is {each.standing}: a gate needs a complete capture",
                hint=f"leakscan diff {each.directory} shows what there is",
            )
    return analysed([directory])[0]
