"""Leaks as test failures: run a callable N times in this process and look at what it left.

from leakscan.testing import assert_no_leaks

def test_streams_are_let_go():
    assert_no_leaks(lambda: client.stream("hello"), runs=20)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakscan.errors import UsageError

if TYPE_CHECKING:
    from leakscan.analysis.findings import Findings
    from leakscan.capture.ledger import Ledger

# Any in this file: what the callable under test returns, and JSON values.


class LeaksFound(AssertionError):
    """What survived the runs. Its text is the first screen of `leakscan diff`; `findings` has all of it."""

    def __init__(self, findings: Findings) -> None:
        super().__init__("\n" + screen(findings))
        self.findings = findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """How a callable is measured; the names are those of the options of `leakscan capture`."""

    runs: int = 20
    warmup: int = 3
    mode: str = "consume"
    chunks: int = 3
    settle_seconds: float = 2.0
    sites: bool = False


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
    how = Measurement(runs=runs, warmup=warmup, mode=mode, sites=sites)
    findings = measure(run, how)
    if leaks_of(findings, types):
        raise LeaksFound(findings)
    return findings


def measure(run: Callable[[], Any], how: Measurement, *, directory: Path | None = None) -> Findings:
    """The findings on `how.runs` calls of `run` in this process.

    `directory` keeps the capture; without it nothing stays on disk.
    """
    if directory is not None:
        _capture_here(run, how, directory)
        return _findings(directory)
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        _capture_here(run, how, Path(folder))
        return _findings(Path(folder))


def leaks_of(findings: Findings, types: tuple[str, ...] = ()) -> list[str]:
    """Signatures of the leaks, of the asked types only when there are any."""
    from leakscan.analysis.findings import Verdict

    return [
        leak.signature
        for leak in findings.leaks
        if leak.verdict is Verdict.LEAK and (not types or leak.type_name.endswith(types))
    ]


def screen(findings: Findings) -> str:
    """The text of `leakscan diff`, 80 columns wide and without colour."""
    from leakscan.report.lines import plain
    from leakscan.report.terminal import Screen
    from leakscan.report.text import TextOptions, findings_text

    lines = findings_text(findings, TextOptions(limit=3, screen=Screen()))
    return plain(lines).removesuffix("\n")


class _ToLedger:
    """Takes the session's events as the pipe of a capture would."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def write(self, event: str, **fields: Any) -> None:
        self._ledger.record({"event": event, **fields})


def _capture_here(run: Callable[[], Any], how: Measurement, directory: Path) -> None:
    import asyncio

    from leakscan.capture.ledger import Ledger
    from leakscan.record.session import Session

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError(
            "leaks cannot be measured from inside a running event loop",
            hint="call it from a synchronous test, with the coroutine function as its argument",
        )
    config: dict[str, Any] = {
        "target": _name_of(run),
        "mode": how.mode,
        "runs": how.runs,
        "most_runs": how.runs,
        "warmup": how.warmup,
        "chunks": how.chunks,
        "every": 0,
        "settle_seconds": how.settle_seconds,
        "sites": how.sites,
        "redact_keys": False,
        "owns_main": False,
        "output": str(directory),
    }
    head = {name: config[name] for name in ("target", "mode", "runs", "warmup", "chunks", "sites")}
    ledger = Ledger(directory, {**head, "births": True, "redacted": False, "python": ""})
    session = Session(config, _ToLedger(ledger), load=lambda: run)
    try:
        session.prepare()
        session.measure()
    finally:
        session.close()
    ledger.close("complete")


def _findings(directory: Path) -> Findings:
    from leakscan.cli.analyse import analysed_one

    return analysed_one([directory])


def _name_of(run: Callable[[], Any]) -> str:
    return f"{getattr(run, '__module__', '')}:{getattr(run, '__qualname__', type(run).__qualname__)}"
