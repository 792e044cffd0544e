"""What is kept of the leaks of a session until its end, in a folder that the workers of xdist share.

`tests.jsonl` has a line for each test with leaks, allowed ones too; SIGNATURE.capsule the findings of a test
that shows the leak.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leakscan.analysis.capsule import Capsule
from leakscan.analysis.results.findings import Findings
from leakscan.answers.capsules import read_capsule
from leakscan.report.share.capsule import capsule_text

TESTS: Final = "tests.jsonl"
Row = dict[str, str]
"""signature, what, status, why"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One leak in the tests that show it, the first of them first."""

    signature: str
    what: str
    status: str
    why: str
    tests: tuple[str, ...]


def keep(folder: Path, test: str, findings: Findings, rows: Iterable[Row]) -> None:
    """Keep what a test showed."""
    rows = list(rows)
    if not rows:
        return
    for row in rows:
        file = folder / f"{row['signature']}.capsule"
        if file.exists():
            continue
        # Another worker may be about to write the same.
        partial = folder / f"{row['signature']}.{os.getpid()}.partial"
        partial.write_text(capsule_text(Capsule((findings,), (), (), (), (), ())), encoding="utf-8")
        os.replace(partial, file)
    keep_again(folder, test, rows)


def keep_again(folder: Path, test: str, rows: Sequence[Row]) -> None:
    """Keep that a test showed them, whose findings are kept already."""
    line = json.dumps({"test": test, "leaks": list(rows)}) + "\n"
    with (folder / TESTS).open("a", encoding="utf-8") as tests:
        tests.write(line)


def seen_in(folder: Path) -> list[Seen]:
    """Every leak of the session, by signature."""
    found: dict[str, tuple[Row, list[str]]] = {}
    path = folder / TESTS
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        kept: dict[str, Any] = json.loads(line)  # Any: JSON values
        for row in kept["leaks"]:
            _, tests = found.setdefault(row["signature"], (row, []))
            if kept["test"] not in tests:
                tests.append(kept["test"])
    return [
        Seen(signature, row["what"], row["status"], row["why"], tuple(sorted(tests)))
        for signature, (row, tests) in sorted(found.items())
    ]


def findings_with(folder: Path, signature: str) -> Findings:
    """The findings that were kept with that leak."""
    return read_capsule(folder / f"{signature}.capsule").findings[0]
