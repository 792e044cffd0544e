"""Progress of a capture on stderr: a bar on a terminal, else one line for each phase."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from leakscan.capture import Progress

Report = Callable[[str, Progress], None]
"""Called with the mode and what the target is doing."""


@contextmanager
def progress_on_stderr(target: str) -> Iterator[Report]:
    """What to call with each step of the capture."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as report:
            yield report
    else:
        yield _lines(target)


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=None)
        shown = "start"

        def report(mode: str, progress: Progress) -> None:
            nonlocal shown
            text = f"{mode}: {progress.phase}"
            # A phase may be over before the bar is next drawn by itself.
            is_other, shown = text != shown, text
            bar.update(
                task,
                description=text,
                completed=progress.done,
                total=progress.total or None,
                refresh=is_other,
            )

        yield report


def _lines(target: str) -> Report:
    told: tuple[str, str] | None = None

    def report(mode: str, progress: Progress) -> None:
        nonlocal told
        if (mode, progress.phase) == told:
            return
        told = (mode, progress.phase)
        words = {
            "warm-up": f"{progress.total} warm-up runs of {target} ({mode})",
            "run": f"{progress.total} runs",
            "settle": "the runs are done; waiting for what is in flight",
        }
        if progress.phase in words:
            print(words[progress.phase], file=sys.stderr, flush=True)

    return report
