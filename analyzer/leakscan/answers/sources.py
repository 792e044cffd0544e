"""What a command was pointed at: a capture directory, one for each mode, or two or more snapshots."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from leakscan.capture.directory.guarded import box_to_tell, boxes_in
from leakscan.capture.directory.reader import Capture, read_capture, read_captures
from leakscan.capture.directory.run_file import TREE_MODE, ModesFile, is_capture, read_run_file
from leakscan.errors import CaptureError, UsageError

_NUMBERS: Final = re.compile(r"(\d*)(\D*)")


@dataclass(frozen=True)
class Source:
    """Two snapshots to compare, those `between`, and the capture they are of (None: just files).

    `after` is None when the capture stopped before it: its counts can still be read.
    """

    before: Path
    after: Path | None
    capture: Capture | None = None
    runs: int = 0
    """completed when `after` was taken"""
    note: str = ""
    """what is not as it should be with the snapshots"""
    between: tuple[Path, ...] = ()
    worker: str = ""
    """which of several processes it is of"""

    @property
    def mode(self) -> str:
        return self.worker or self._mode

    @property
    def _mode(self) -> str:
        return self.capture.mode if self.capture is not None else ""


@dataclass(frozen=True)
class Unreadable:
    """A mode of a capture of several modes of which nothing can be said, and why."""

    mode: str
    reason: str


def sources_of(paths: list[Path]) -> tuple[list[Source], list[Unreadable]]:
    """The snapshots that DIR, or BEFORE [...] AFTER, stands for.

    A directory that is no capture may hold V8 snapshots: they are taken in the order of their names.
    Raises UsageError for too few paths, CaptureError when a capture lacks its snapshots.
    """
    if len(paths) > 1:
        for path in paths:
            if path.is_dir():
                raise UsageError(
                    f"{path} is a directory; several arguments are snapshot files",
                    hint=f"leakscan diff {path}, or leakscan compare {paths[0]} {paths[1]}",
                )
        return [Source(paths[0], paths[-1], between=tuple(paths[1:-1]))], []
    if len(paths) != 1:
        raise UsageError("name one capture directory or two snapshots", hint="leakscan diff leak/")
    if paths[0].is_file():
        raise UsageError(
            f"{paths[0]} is one file: a diff needs a capture directory or two snapshots",
            hint=f"leakscan top {paths[0]} shows what one snapshot holds",
        )
    return _of_directory(paths[0])


def pair_in(path: Path) -> tuple[Path, Path]:
    """The first and the last snapshot of a capture of one mode. CaptureError: it lacks one."""
    bare = bare_snapshots(path)
    if len(bare) > 1:
        return bare[0], bare[-1]
    capture = read_capture(_one_box(path))
    source = source_of(capture)
    return source.before, source.after or capture.after


def pair_of(paths: list[Path]) -> tuple[Path | None, Path]:
    """The first and the last snapshot of DIR or BEFORE [...] AFTER; None and the file itself for one file."""
    if len(paths) == 1 and not paths[0].is_dir():
        return None, paths[0]
    if len(paths) == 1:
        return pair_in(paths[0])
    source = sources_of(paths)[0][0]
    return source.before, source.after or paths[-1]


def snapshot_in(path: Path) -> Path:
    """The snapshot file that is meant: the file itself, or the last one of a capture directory."""
    if not path.is_dir():
        return path
    bare = bare_snapshots(path)
    return bare[-1] if bare else read_capture(_one_box(path)).after


def _of_directory(directory: Path) -> tuple[list[Source], list[Unreadable]]:
    bare = bare_snapshots(directory)
    if len(bare) > 1:
        return [Source(bare[0], bare[-1], between=tuple(bare[1:-1]))], []
    boxes = [] if is_capture(directory) else boxes_in(directory)
    if told := box_to_tell(boxes):
        return [replace(source_of(read_capture(told)), note=_of_boxes(told, boxes))], []
    captures = read_captures(directory)
    of_workers = is_of_workers([directory])
    if len(captures) == 1:
        return [source_of(captures[0])], []
    sources: list[Source] = []
    unreadable: list[Unreadable] = []
    for capture in captures:
        name = capture.directory.name if of_workers else ""
        try:
            sources.append(replace(source_of(capture), worker=name))
        except CaptureError as error:
            reason = error.message.removeprefix(f"{capture.directory} ")
            unreadable.append(Unreadable(name or capture.mode, reason))
    if not sources:
        what = "worker" if of_workers else "mode"
        raise CaptureError(
            f"no {what} in {directory} has both snapshots: {unreadable[0].reason}",
            hint="attach once more with the same -o" if of_workers else "capture again with --overwrite",
        )
    return sources, unreadable


def _one_box(path: Path) -> Path:
    return path if is_capture(path) else box_to_tell(boxes_in(path)) or path


def _of_boxes(told: Path, boxes: list[Path]) -> str:
    others = [box.name for box in boxes if box != told]
    if not others:
        return ""
    named = ", ".join(others[:4]) + ", ..." * (len(others) > 4)
    return f"{told.name} is told, the last one with both snapshots; there are {len(others)} more: {named}"


def is_of_workers(paths: list[Path]) -> bool:
    """Whether that is a directory with a capture for each worker of a supervisor."""
    if len(paths) != 1 or not is_capture(paths[0]):
        return False
    run = read_run_file(paths[0])
    return isinstance(run, ModesFile) and run.mode == TREE_MODE


def bare_snapshots(directory: Path) -> list[Path]:
    """V8 snapshots in a directory that is no capture, by name, numbers in it by value."""
    if (directory / "run.json").exists():
        return []
    found = [*directory.glob("*.heapsnapshot"), *directory.glob("*.heapsnapshot.gz")]
    return sorted(found, key=lambda path: [(int(n or 0), t) for n, t in _NUMBERS.findall(path.name)])


def source_of(capture: Capture) -> Source:
    """The capture's pair of snapshots; the last one that was taken when the very last is missing."""
    before = capture.before
    done = capture.runs_completed
    taken = [entry for entry in capture.snapshots if entry.run > 0 and entry.path.exists()]
    if not taken:
        if done == 0:
            # Nothing was run: say why it stopped, as the capture does.
            return Source(before, capture.after, capture)
        return Source(before, None, capture, done)
    last = max(taken, key=lambda entry: entry.run)
    note = f"the last snapshot is of run {last.run} of {done}" if last.run < done else ""
    return Source(before, last.path, capture, last.run, note)
