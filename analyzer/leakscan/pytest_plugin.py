"""pytest plugin: `@pytest.mark.leakscan`, the `leakscan` fixture, and `--leakscan` for a whole suite.

A measured test is set up, called and torn down again and again, as separate tests would be, so that what
its function-scoped fixtures hold is not mistaken for a leak. Then it runs once more for the report; if its
runs left something behind, that report fails with the first screen.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from leakscan.errors import LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings

# Any in this file: what tests and their fixtures return.

_OUTCOME = pytest.StashKey[str]()
_REMARK = pytest.StashKey[str]()
_END = pytest.StashKey[Any]()
_NOT_APPLICABLE = pytest.StashKey[str]()
_DEFAULTS = {"runs": 20, "warmup": 3, "types": (), "modes": "consume", "sites": False}
_CHUNKS = 3
_PROPERTY = "leakscan"


class _RunFailed(Exception):
    """A measured run did not pass. Its text is pytest's own report of it, "" when it was skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("leakscan", "memory leaks")
    group.addoption(
        "--leakscan", action="store_true", help="measure every test: it fails when objects survive its runs"
    )
    group.addoption(
        "--leakscan-runs",
        type=int,
        default=6,
        metavar="N",
        help="counted runs under --leakscan of a test that seems to leave something (6)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "leakscan(runs=20, warmup=3, types=(), modes='consume', sites=False):"
        " run the test N times and fail it when it leaks",
    )


@pytest.fixture
def leakscan() -> Callable[..., Findings]:
    """`leakscan(run, runs=20, ...)`: leakscan.testing.assert_no_leaks, for a part of a test."""
    from leakscan.testing import assert_no_leaks

    return assert_no_leaks


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    try:
        asked = _asked(item)
        if asked is None or not isinstance(item, pytest.Function):
            return
        texts = [text for mode in asked["modes"] if (text := _leak_in(item, asked, mode))]
    except _RunFailed as failure:
        # The ordinary run follows; when it passes, nobody would know that nothing was measured.
        item.stash[_REMARK] = f"leaks were not looked for: a run failed. {failure}" if str(failure) else ""
        return
    except LeakscanError as error:
        # The suite goes on: one test that cannot be measured fails, and says why.
        item.stash[_OUTCOME] = f"leaks could not be looked for: {error.message}\n{error.hint}".rstrip()
        return
    if texts:
        item.stash[_OUTCOME] = "\n\n".join(texts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    marked = isinstance(item, pytest.Function) and item.get_closest_marker("leakscan") is not None
    # hypothesis keeps its own wrapper on the function, which plugins look for.
    if not marked or not isinstance(item, pytest.Function) or hasattr(item.obj, "hypothesis"):
        return (yield)
    function = item.obj
    item.obj = _ended(item, function)
    try:
        return (yield)
    finally:
        item.obj = function


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    text = item.stash.get(_OUTCOME, "")
    if call.when == "call" and report.passed:
        if text:
            report.outcome = "failed"
            report.longrepr = text
        elif remark := item.stash.get(_REMARK, ""):
            item.warn(pytest.PytestWarning(f"{item.nodeid}: {remark}"))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each leak: its signature, what it is, how many tests show it, the first of them."""
    tests: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("failed", ()):
        for name, line in getattr(report, "user_properties", ()):
            if name == _PROPERTY and report.nodeid not in tests.setdefault(line, []):
                tests[line].append(report.nodeid)
    if not tests:
        return
    terminalreporter.section("leaks")
    for line, nodes in sorted(tests.items()):
        seen = f"in {nodes[0]}" if len(nodes) == 1 else f"in {len(nodes)} tests, first {nodes[0]}"
        terminalreporter.write_line(f"{line}  {seen}")


def _line_of(findings: Findings, signature: str) -> str:
    """The same in every test that shows the leak: no counts, which differ."""
    from leakscan.wording import visible

    leak = next(each for each in findings.leaks if each.signature == signature)
    holder = leak.holder.label if leak.holder else leak.path.root
    return f"{signature}  {visible(leak.name or leak.type_name)}, held by {visible(holder)}"


def _asked(item: pytest.Item) -> dict[str, Any] | None:
    """How the test is to be measured, None when it is not."""
    from leakscan.record.streams import MODES

    marker = item.get_closest_marker("leakscan")
    if marker is None:
        if not item.config.getoption("--leakscan"):
            return None
        return {**_DEFAULTS, "runs": item.config.getoption("--leakscan-runs"), "modes": ("consume",)}
    if marker.args or set(marker.kwargs) - set(_DEFAULTS):
        raise UsageError(f"@pytest.mark.leakscan takes {', '.join(_DEFAULTS)}, by name")
    asked = {**_DEFAULTS, **marker.kwargs}
    asked["types"] = (asked["types"],) if isinstance(asked["types"], str) else tuple(asked["types"])
    modes = (asked["modes"],) if isinstance(asked["modes"], str) else tuple(asked["modes"])
    asked["modes"] = MODES if modes == ("all",) else modes
    unknown = sorted(set(asked["modes"]) - set(MODES))
    if unknown:
        raise UsageError(f"no mode {unknown[0]!r}: all, {', '.join(MODES)}")
    return asked


def _leak_in(item: pytest.Function, asked: dict[str, Any], mode: str) -> str:
    """The first screen of what the test leaks in that mode, "" when it does not."""
    from leakscan.analysis.results.findings import Verdict
    from leakscan.record.scenario import Scenario
    from leakscan.testing import leaks_of, screen

    item.stash[_END] = Scenario(lambda: None, mode=mode, chunks=_CHUNKS, owns_main=False)
    try:
        findings = _measure(item, asked, mode)
    except _RunFailed as failure:
        if item.stash.get(_NOT_APPLICABLE, "") and len(asked["modes"]) > 1:
            return ""
        if mode == "consume":
            raise
        # The ordinary run ends its streams as `consume` does and cannot say this.
        why = item.stash.get(_NOT_APPLICABLE, "") or failure
        return f"the test fails when its stream ends in mode {mode}:\n{why}"
    finally:
        item.stash[_END].close()
        del item.stash[_END]
        item.stash[_NOT_APPLICABLE] = ""
    if findings is None:
        return ""
    signatures = leaks_of(findings, asked["types"])
    if signatures:
        # They go with the reports, from the workers of xdist and into JUnit files, too.
        item.user_properties += [(_PROPERTY, _line_of(findings, each)) for each in signatures]
        return screen(findings)
    if findings.verdict is Verdict.INCONCLUSIVE and item.get_closest_marker("leakscan") is not None:
        item.stash[_REMARK] = findings.headline
    return ""


def _measure(item: pytest.Function, asked: dict[str, Any], mode: str) -> Findings | None:
    """The findings of one mode; None when the whole suite is measured and this test leaves nothing."""
    from leakscan.capture import Settings
    from leakscan.record.first_look import leaves_nothing
    from leakscan.testing import measure

    warmup = asked["warmup"]

    def run() -> None:
        _run_once(item)

    run.__module__, run.__qualname__ = item.module.__name__, item.name
    if item.get_closest_marker("leakscan") is None:
        if leaves_nothing(run, lambda: _tidy(item)):
            return None
        warmup = 0  # the first look was that
    settings = Settings(runs=asked["runs"], warmup=warmup, sites=asked["sites"])
    return measure(run, settings, called_mode=mode)


def _run_once(item: pytest.Function) -> None:
    """Set up, call and tear down, without a report."""
    from _pytest.runner import runtestprotocol

    properties, sections = len(item.user_properties), len(item._report_sections)
    item._initrequest()
    # With the parent as next item only what belongs to this item is torn down, the item itself included.
    reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]  # has listchain
    failed = next((report for report in reports if not report.passed), None)
    # What reporting collects for one run would pile up over many.
    del item.user_properties[properties:], item._report_sections[sections:]
    if failed is not None:
        raise _RunFailed("" if failed.skipped else failed.longreprtext)


def _tidy(item: pytest.Item) -> None:
    """Let go of what pytest keeps of a run until the next: the records that its logging captured."""
    plugin = item.config.pluginmanager.getplugin("logging-plugin")
    for name in ("caplog_handler", "report_handler"):
        handler = getattr(plugin, name, None)
        if handler is not None:
            handler.reset()


def _ended(item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
    """The test function, with the stream that it returns brought to the end that is being measured."""
    from leakscan.record.scenario import Scenario
    from leakscan.record.streams import ModeDoesNotApply

    scenario = item.stash.get(_END, None) or Scenario(
        lambda: None, mode="consume", chunks=_CHUNKS, owns_main=False
    )

    def skip(reason: ModeDoesNotApply) -> None:
        item.stash[_NOT_APPLICABLE] = str(reason)
        pytest.skip(str(reason))

    @functools.wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> None:
        try:
            await scenario.drive(function(*args, **kwargs))
        except ModeDoesNotApply as reason:
            skip(reason)

    @functools.wraps(function)
    def run_sync(*args: Any, **kwargs: Any) -> None:
        try:
            scenario.end(function(*args, **kwargs))
        except ModeDoesNotApply as reason:
            skip(reason)

    return run_async if inspect.iscoroutinefunction(function) else run_sync
