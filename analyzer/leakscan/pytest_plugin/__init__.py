"""pytest plugin: `@pytest.mark.leakscan`, the `leakscan` fixture, and `--leakscan` for a whole suite.

A measured test is set up, called and torn down again and again, as separate tests would be, so that what
its function-scoped fixtures hold is not mistaken for a leak. Then it runs once more for the report; if its
runs left something behind, that report fails with the first screen.

This process only records: standard library and `_native`, as everything in `record`. A process of its own
analyses (analyst.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from leakscan.errors import LeakscanError
from leakscan.pytest_plugin.analyst import Analyst
from leakscan.pytest_plugin.asked import MARKER, Asked, asked_of

# Any in this file: what tests and their fixtures return, and JSON values.

_ANALYST: Final = pytest.StashKey[Analyst]()
_OUTCOME: Final = pytest.StashKey[str]()
_REMARK: Final = pytest.StashKey[str]()
_PROPERTY: Final = "leakscan"


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
    config.stash[_ANALYST] = Analyst({"folder": str(config.rootpath)})


def pytest_unconfigure(config: pytest.Config) -> None:
    if _ANALYST in config.stash:
        config.stash[_ANALYST].close()


@pytest.fixture
def leakscan() -> Callable[..., Any]:
    """`leakscan(run, runs=20, ...)`: leakscan.testing.assert_no_leaks, for a part of a test."""
    from leakscan.testing import assert_no_leaks

    return assert_no_leaks


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # Only a session that measures anything loads the recorder.
    if not isinstance(item, pytest.Function):
        return
    try:
        asked = asked_of(item)
        if asked is None:
            return
        from leakscan.pytest_plugin.runs import RunFailed

        try:
            texts = [text for mode in asked.modes if (text := _leak_in(item, asked, mode))]
        except RunFailed as failure:
            # The ordinary run follows; when it passes, nobody would know that nothing was measured.
            item.stash[_REMARK] = (
                f"leaks were not looked for: a run failed. {failure}" if str(failure) else ""
            )
            return
    except LeakscanError as error:
        # The suite goes on: one test that cannot be measured fails, and says why.
        item.stash[_OUTCOME] = f"leaks could not be looked for: {error.message}\n{error.hint}".rstrip()
        return
    if texts:
        item.stash[_OUTCOME] = "\n\n".join(texts)


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


def _leak_in(item: pytest.Function, asked: Asked, mode: str) -> str:
    """The first screen of what the test leaks in that mode, "" when it does not."""
    from leakscan.pytest_plugin.measuring import measured
    from leakscan.pytest_plugin.runs import END, NOT_APPLICABLE, RunFailed, ending

    item.stash[END] = ending(mode)
    try:
        answer = measured(item, asked, mode, item.config.stash[_ANALYST])
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
    if answer is None:
        return ""
    # They go with the reports, from the workers of xdist and into JUnit files, too.
    item.user_properties += [(_PROPERTY, f"{leak['signature']}  {leak['what']}") for leak in answer["leaks"]]
    if not answer["leaks"] and answer["undecided"] and asked.is_marked:
        item.stash[_REMARK] = answer["undecided"]
    return str(answer["text"])
