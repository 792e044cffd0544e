"""Leaks as test failures: run a callable N times in this process and look at what it left.

from leakscan.testing import assert_no_leaks

def test_streams_are_let_go():
    assert_no_leaks(lambda: client.stream("hello"), runs=20)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakscan.errors import UsageError

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings
    from leakscan.capture import Settings
    from leakscan.capture.directory.writer import CaptureWriter

# Any in this file: what the callable under test returns, and JSON values.


class LeaksFound(AssertionError):
    """What survived the runs. Its text is the first screen of `leakscan diff`; `findings` has all of it."""

    def __init__(self, findings: Findings) -> None:
        super().__init__("\n" + screen(findings))
        self.findings = findings


def assert_no_leaks(
    run: Callable[[], Any],
    *,
    runs: int = 20,
    warmup: int = 3,
    mode: str = "consume",
    types: tuple[str, ...] = (),
    sites: bool = False,
) -> Findings:
    """Call `run` N times and raise LeaksFound when it leaks; the findings otherwise.

    `run` may be a function, a coroutine function, or return a stream, which is brought to the end that
    `mode` asks for. `types` narrows the question to types whose qualified name ends with one of them.
    Must be called from synchronous code. Exceptions of `run` pass through.
    """
    from leakscan.capture import Settings

    findings = measure(run, Settings(runs=runs, warmup=warmup, sites=sites), mode=mode)
    if leaks_of(findings, types):
        raise LeaksFound(findings)
    return findings


def measure(
    run: Callable[[], Any],
    settings: Settings,
    *,
    mode: str = "consume",
    directory: Path | None = None,
    called_mode: str = "",
) -> Findings:
    """The findings on `settings.runs` calls of `run` in this process, its streams ended as `mode` says.

    `directory` keeps the capture; without it nothing stays on disk. `called_mode` is the mode to report
    when `run` ends its streams itself. ModeDoesNotApply passes through.
    """
    if directory is not None:
        _capture_here(run, settings, mode, directory, called_mode)
        return _findings(directory)
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        _capture_here(run, settings, mode, Path(folder), called_mode)
        return _findings(Path(folder))


def leaks_of(findings: Findings, types: tuple[str, ...] = ()) -> list[str]:
    """Signatures of the leaks, of the asked types only when there are any."""
    from leakscan.analysis.results.findings import Verdict

    return [
        leak.signature
        for leak in findings.leaks
        if leak.verdict is Verdict.LEAK and (not types or leak.type_name.endswith(types))
    ]


def screen(findings: Findings) -> str:
    """The text of `leakscan diff`, 80 columns wide and without colour."""
    from leakscan.report.text.findings import TextOptions, findings_text
    from leakscan.report.text.lines import plain
    from leakscan.report.text.terminal import Screen

    lines = findings_text(findings, TextOptions(limit=3, screen=Screen()))
    return plain(lines).removesuffix("\n")


class _ToWriter:
    """Takes the session's events as the pipe of a capture would."""

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer

    def write(self, event: str, **fields: Any) -> None:
        self._writer.record({"event": event, **fields})


def _capture_here(
    run: Callable[[], Any], settings: Settings, mode: str, directory: Path, called_mode: str
) -> None:
    import asyncio

    from leakscan.capture.directory.writer import CaptureWriter
    from leakscan.capture.scenario.settings import begun_run, session_config
    from leakscan.record.session import Session
    from leakscan.record.target import Target

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError(
            "leaks cannot be measured from inside a running event loop",
            hint="call it from a synchronous test, with the coroutine function as its argument",
        )
    target = _name_of(run)
    config = session_config(target, mode, settings, directory, owns_main=False)
    begun = begun_run(target, called_mode or mode, settings, runtime="cpython", python="")
    writer = CaptureWriter(directory, begun)
    session = Session(config, _ToWriter(writer), load=lambda: Target(target, run))
    try:
        session.prepare()
        session.measure()
    finally:
        session.close()
    writer.close("complete")


def _findings(directory: Path) -> Findings:
    from leakscan.answers.analyse import analysed_one

    return analysed_one([directory])


def _name_of(run: Callable[[], Any]) -> str:
    return f"{getattr(run, '__module__', '')}:{getattr(run, '__qualname__', type(run).__qualname__)}"
