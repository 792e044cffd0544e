"""From what the tests' process recorded to findings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.analyse import analysed_one
from leakscan.answers.relative import relative_to
from leakscan.capture.directory.writer import CaptureWriter
from leakscan.capture.scenario.settings import Settings, begun_run, session_config
from leakscan.heap.census import census
from leakscan.heap.reader import load, load_earlier
from leakscan.heap.source_files import SourceFiles

Request = dict[str, Any]  # Any: JSON values


def findings_between(request: Request) -> Findings:
    """What the runs between two snapshots left; with lines of source only when that is a leak."""
    folder = Path(request["folder"])
    before, after = load_earlier(Path(request["before"])), load(Path(request["after"]), stays_open=True)
    first, last = census(before), census(after)
    unknown = (None,) * (request["runs"] - 1)
    counts = {
        name: (first.get(name, (0, 0))[0], *unknown, last.get(name, (0, 0))[0])
        for name in sorted({*first, *last})
    }

    def compared(read_source: SourceFiles | None) -> Findings:
        return diff(
            before,
            after,
            runs=request["runs"],
            mode=request["mode"],
            target=request["target"],
            measured=Measured(type_counts=counts),
            read_source=read_source,
        )

    findings = compared(None)
    if findings.verdict is Verdict.LEAK:
        findings = compared(SourceFiles(folder))
    return relative_to(findings, folder)


class Capturing:
    """A capture of one marked test, while its events arrive. Its folder is gone when this is closed."""

    def __init__(self, request: Request) -> None:
        settings = Settings(runs=request["runs"], warmup=request["warmup"], sites=request["sites"])
        self._folder = tempfile.TemporaryDirectory(prefix="leakscan-")
        target, mode, directory = request["target"], request["mode"], Path(self._folder.name)
        self.config = session_config(target, request["drive"], settings, directory, owns_main=False)
        begun = begun_run(target, mode, settings, runtime="cpython", python="")
        self._writer = CaptureWriter(directory, begun)

    def record(self, event: Request) -> None:
        self._writer.record(event)

    def findings(self) -> Findings:
        self._writer.close("complete")
        return analysed_one([Path(self._folder.name)])

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> Capturing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
