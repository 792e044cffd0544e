"""pytest plugin: `@pytest.mark.leakscan`, the `leakscan` fixture, and `--leakscan` for a whole suite.

A measured test is set up, called and torn down again and again, as separate tests would be, so that what
its function-scoped fixtures hold is not mistaken for a leak. Then it runs once more for the report; if its
runs left something behind, that report fails with the first screen.

This process only records: standard library and `_native`, as everything in `record`. A process of its own
analyses (analyst.py).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

from leakscan.errors import LeakscanError, MeasuresItself
from leakscan.pytest_plugin.analyst import Analyst, is_elsewhere
from leakscan.pytest_plugin.asked import MARKER, Asked, asked_of
from leakscan.pytest_plugin.ending import ALLOWED, LEAK, Kept, lines_of_leaks, said_at_end

if TYPE_CHECKING:
    from leakscan.pytest_plugin.looking import TestLook
    from leakscan.pytest_plugin.measuring import Measuring

# Any in this file: what tests and their fixtures return, and JSON values.

_ANALYST: Final = pytest.StashKey[Analyst]()
_OUTCOME: Final = pytest.StashKey[str]()
_REMARK: Final = pytest.StashKey[str]()
_KEPT: Final = pytest.StashKey[Kept]()
_LOOK: Final[pytest.StashKey[TestLook]] = pytest.StashKey()
_MEASURING: Final = pytest.StashKey["Measuring"]()
"""Measuring, which only a session that measures loads."""
_SAID: Final = pytest.StashKey[list[str]]()


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
    group.addoption("--leakscan-baseline", metavar="FILE", help="known leaks, which fail no test")
    group.addoption(
        "--leakscan-budget",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="allowed per run, as `leakscan check --budget` has it: Type=0.5, SIGNATURE=20kB, total=10kB",
    )
    group.addoption(
        "--leakscan-write-baseline",
        metavar="FILE",
        help="write the leaks found as a baseline, and pass",
    )
    group.addoption("--leakscan-report", metavar="FILE", help="write the leaks found as an HTML page")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "leakscan(runs=20, warmup=3, types=(), modes='consume', sites=False):"
        " run the test N times and fail it when it leaks",
    )
    where = config.invocation_params.dir
    baseline = config.getoption("--leakscan-baseline")
    if (written := config.getoption("--leakscan-write-baseline")) and (where / written).exists():
        raise pytest.UsageError(f"--leakscan-write-baseline: {written} exists; name a new file, or remove it")
    if config.getoption("--leakscan"):
        from leakscan.pytest_plugin.looking import Phases

        config.pluginmanager.register(Phases(_LOOK), "leakscan-phases")
    # Nothing is started and no folder made before there is something to ask.
    config.stash[_KEPT] = Kept(config)
    config.stash[_ANALYST] = Analyst(
        {
            "folder": str(config.rootpath if config.inipath is None else config.inipath.parent),
            "baseline": str(where / baseline) if baseline else "",
            "budgets": config.getoption("--leakscan-budget"),
        }
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    if _ANALYST in config.stash:
        config.stash[_ANALYST].close()
        config.stash[_KEPT].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of xdist: it keeps what it finds where this process looks for it at the end."""
    node.config.stash[_KEPT].share_with(node)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    allows = config.getoption("--leakscan-baseline") or config.getoption("--leakscan-budget")
    if allows or (config.getoption("--leakscan") and is_elsewhere()):
        # What is wrong is told once, and not by every test.
        try:
            config.stash[_ANALYST].start()
        except LeakscanError as error:
            raise pytest.UsageError(f"{error.message}\n{error.hint}".rstrip()) from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    try:
        config.stash[_SAID] = said_at_end(config, config.stash[_ANALYST], config.stash[_KEPT])
    except LeakscanError as error:
        config.stash[_SAID] = [f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else [])]
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def leakscan(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`leakscan(run, runs=20, ...)`: leakscan.testing.assert_no_leaks, for a part of a test."""
    if find_spec("leakscan.testing") is None:
        return _measuring(request.config).assert_no_leaks(request.node.nodeid, request.config)
    from leakscan.testing import assert_no_leaks

    return assert_no_leaks


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    # Only a session that measures anything loads the recorder.
    asked = _asked(item)
    if asked is None or not isinstance(item, pytest.Function):
        return (yield)
    if asked.is_marked:
        _told(
            item, lambda: "\n\n".join(text for mode in asked.modes if (text := _leak_in(item, asked, mode)))
        )
        return (yield)
    from leakscan.pytest_plugin.looking import TestLook

    look = item.stash[_LOOK] = TestLook(_measuring(item.config), item, asked)
    try:
        _told(item, lambda: _text_of(item, asked, look.before(nextitem)))
        return (yield)
    finally:
        look.close()
        del item.stash[_LOOK]


def _asked(item: pytest.Item) -> Asked | None:
    if not isinstance(item, pytest.Function):
        return None
    try:
        return asked_of(item)
    except LeakscanError as error:
        item.stash[_OUTCOME] = f"leaks could not be looked for: {error.message}\n{error.hint}".rstrip()
        return None


def _told(item: pytest.Function, text_of: Callable[[], str]) -> None:
    """Measure, and keep what is to be told of it with the ordinary run."""
    from leakscan.pytest_plugin.runs import RunFailed

    try:
        if text := text_of():
            item.stash[_OUTCOME] = text
    except RunFailed as failure:
        # The ordinary run follows; when it passes, nobody would know that nothing was measured.
        item.stash[_REMARK] = f"leaks were not looked for: a run failed. {failure}" if str(failure) else ""
    except MeasuresItself:
        # The ordinary run follows, and with it what the test asks itself.
        item.stash[_REMARK] = "leaks were not looked for in the whole of it: it measures a part of itself"
    except LeakscanError as error:
        # The suite goes on: one test that cannot be measured fails, and says why.
        item.stash[_OUTCOME] = f"leaks could not be looked for: {error.message}\n{error.hint}".rstrip()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    marked = isinstance(item, pytest.Function) and item.get_closest_marker(MARKER) is not None
    # hypothesis keeps its own wrapper on the function, which plugins look for.
    if not marked or not isinstance(item, pytest.Function) or hasattr(item.obj, "hypothesis"):
        return (yield)
    from leakscan.pytest_plugin.runs import ended

    function = item.obj
    item.obj = ended(item, function)
    try:
        return (yield)
    finally:
        item.obj = function


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    look = item.stash.get(_LOOK, None)
    if look is not None and look.is_waiting:
        look.pause()
    report = yield
    is_settled = False
    if look is not None and look.is_waiting and isinstance(item, pytest.Function):
        if not report.passed:
            look.close()
        elif call.when == "teardown":
            # The test has been reported as passed: what its ordinary run shows is told with its teardown.
            is_settled = True
            _told(item, lambda: _text_of(item, look.asked, look.after()))
    if (call.when == "call" or is_settled) and report.passed:
        if text := item.stash.get(_OUTCOME, ""):
            report.outcome = "failed"
            report.longrepr = text
        elif remark := item.stash.get(_REMARK, ""):
            item.warn(pytest.PytestWarning(f"{item.nodeid}: {remark}"))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line for each leak: its signature, what it is, how many tests show it, the first of them."""
    ran = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    leaks, allowed = lines_of_leaks(ran, LEAK), lines_of_leaks(ran, ALLOWED)
    said = config.stash.get(_SAID, [])
    if not (leaks or allowed or said):
        return
    terminalreporter.section("leaks")
    for line in (*leaks, *allowed, *said):
        terminalreporter.write_line(line)


def _measuring(config: pytest.Config) -> Measuring:
    from leakscan.pytest_plugin.measuring import Measuring

    stash = config.stash
    if _MEASURING not in stash:
        stash[_MEASURING] = Measuring(stash[_ANALYST], stash[_KEPT])
    return stash[_MEASURING]


def _leak_in(item: pytest.Function, asked: Asked, mode: str) -> str:
    """The first screen of what the test leaks in that mode, "" when it does not."""
    from leakscan.pytest_plugin.runs import END, NOT_APPLICABLE, RunFailed, ending

    item.stash[END] = ending(mode)
    try:
        answer = _measuring(item.config).answer(item, asked, mode)
    except RunFailed as failure:
        if item.stash.get(NOT_APPLICABLE, "") and len(asked.modes) > 1:
            return ""
        if mode == "consume":
            raise
        # The ordinary run ends its streams as `consume` does and cannot say this.
        why = item.stash.get(NOT_APPLICABLE, "") or failure
        return f"the test fails when its stream ends in mode {mode}:\n{why}"
    finally:
        item.stash[END].close()
        del item.stash[END]
        item.stash[NOT_APPLICABLE] = ""
    return _text_of(item, asked, answer)


def _text_of(item: pytest.Function, asked: Asked, answer: dict[str, Any] | None) -> str:
    """What fails the test, "" when nothing does; its leaks become properties of its report."""
    if answer is None:
        return ""
    writes_baseline = bool(item.config.getoption("--leakscan-write-baseline"))
    # They go with the reports, from the workers of xdist and into JUnit files, too.
    item.user_properties += [
        *((LEAK, f"{leak['signature']}  {leak['what']}") for leak in answer["leaks"]),
        *(
            (ALLOWED, f"{leak['signature']}  {leak['what']}  {leak['status']}: {leak['why']}".rstrip(": "))
            for leak in answer["allowed"]
        ),
    ]
    if not answer["leaks"] and answer["undecided"] and asked.is_marked:
        item.stash[_REMARK] = answer["undecided"]
    return "" if writes_baseline else str(answer["text"])
