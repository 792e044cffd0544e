"""What there is to look at: each mode of a capture, each snapshot of a series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leakscan.answers.sources import bare_snapshots
from leakscan.capture.directory.reader import read_capture, read_captures
from leakscan.capture.directory.run_file import ModesFile, is_capture, read_run_file


@dataclass(frozen=True, slots=True)
class View:
    """One thing to open, and what it is called beside the others; `is_mode`: they are told side by side."""

    name: str
    sources: tuple[Path, ...]
    is_mode: bool = False


def views_of(sources: list[Path]) -> tuple[View, ...]:
    """The first is what is meant; the others are the rest of a series. Of several modes there is one each."""
    if len(sources) > 1:
        between = tuple(View(path.name, (path,)) for path in sources[:-1])
        return (View("before and after", tuple(sources)), *between)
    (source,) = sources
    if not source.is_dir():
        return (View(source.name, (source,)),)
    bare = bare_snapshots(source)
    if len(bare) > 1:
        return (View("all", (source,)), *(View(path.name, (path,)) for path in bare))
    if not is_capture(source):
        return (View(source.name, (source,)),)
    if isinstance(read_run_file(source), ModesFile):
        captures = read_captures(source)
        if len(captures) > 1:
            return tuple(View(each.directory.name, (each.directory,), is_mode=True) for each in captures)
        return tuple(View(source.name, (capture.directory,)) for capture in captures)
    return (View("after the runs", (source,)), *_of_series(source))


def _of_series(directory: Path) -> list[View]:
    """The snapshot before the runs, and those between, each against it."""
    capture = read_capture(directory)
    there = sorted((entry.run, entry.path) for entry in capture.snapshots if entry.path.exists())
    if len(there) < 2:
        return []
    first, *between = there[:-1]
    # With births the later of two snapshots knows them; a pair of V8 knows which are new by their numbers.
    later = [View(f"after {capture.unit} {run}", (first[1], path)) for run, path in between]
    return [View("before the runs", (first[1],)), *later]
