"""What was found out about mutants, kept so that a second run asks only about what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from mutants_made import ROOT, Mutant


@dataclass(frozen=True, slots=True)
class Outcome:
    """`noticed` by what, "" for a survivor; of how many `tests` that come there."""

    noticed: str
    tests: int
    seconds: float


class Kept:
    """Outcomes in a file that grows by a line for each; the last line counts. None keeps nothing.

    An outcome holds while the package, what tests share, the mutant and the files of the tests it rests on
    are the same: of the test that noticed, or of all that could have. One that no longer holds still says
    which test to ask first.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        rows = file.read_text().splitlines() if file and file.exists() else []
        self._rows = {row["mutant"]: row for row in map(json.loads, filter(_is_whole, rows))}

    def outcome(self, mutant: Mutant, chosen: Sequence[str]) -> Outcome | None:
        row = self._rows.get(mutant.name)
        if row is None or row["rests_on"] != _rests_on(mutant, row["noticed"], chosen):
            return None
        return Outcome(row["noticed"], row["tests"], row["seconds"])

    def noticed_by(self, mutant: Mutant) -> str:
        """The test that noticed it when it was last asked about, "" for none."""
        row = self._rows.get(mutant.name)
        return row["noticed"] if row else ""

    def keep(self, mutant: Mutant, chosen: Sequence[str], found: Outcome) -> Outcome:
        """The outcome, which is written down."""
        row = {"mutant": mutant.name, "rests_on": _rests_on(mutant, found.noticed, chosen), **asdict(found)}
        if self._file is not None:
            self._file.parent.mkdir(exist_ok=True)
            with self._file.open("a") as file:
                file.write(json.dumps(row) + "\n")
        return found


def _is_whole(row: str) -> bool:
    """A run that was killed may have left half a line."""
    return row.startswith("{") and row.endswith("}")


def _rests_on(mutant: Mutant, noticed: str, chosen: Sequence[str]) -> str:
    tests = [noticed] if noticed in chosen else list(chosen)
    files = {str(ROOT / test.partition("::")[0]) for test in tests}
    said = (_of_all_tests(), *mutant.sources, *tests, *map(_text, sorted(files)))
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


@cache
def _text(file: str) -> str:
    path = Path(file)
    return path.read_text() if path.exists() else ""


@cache
def _of_all_tests() -> str:
    """Stands for the package, this tool and what tests read beside themselves."""
    files = {
        *(ROOT / "analyzer").rglob("*"),
        *(path for path in (ROOT / "tests").rglob("*") if not path.name.startswith("test_")),
        *Path(__file__).parent.glob("mutants*.py"),
    }
    found = hashlib.sha256()
    for path in sorted(files):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()
