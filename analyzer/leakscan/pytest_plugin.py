"""pytest plugin: `@pytest.mark.leakscan`, the `leakscan` fixture, and `--leakscan` for a whole suite.

A measured test is set up, called and torn down again and again, as separate tests would be, so that what
its function-scoped fixtures hold is not mistaken for a leak. Then it runs once more for the report; if its
runs left something behind, that report fails with the first screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leakscan.analysis.findings import Findings

# Any in this file: what tests and their fixtures return.

_OUTCOME = pytest.StashKey[str]()
_DEFAULTS = {"runs": 20, "warmup": 3, "types": (), "mode": "consume", "sites": False}


class _RunFailed(Exception):
    """A measured run did not pass: the ordinary report will say why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("leakscan", "memory leaks")
    group.addoption(
        "--leakscan", action="store_true", help="measure every test: it fails when objects survive its runs"
    )
    group.addoption(
        "--leakscan-runs",
        type=int,
        default=10,
        metavar="N",
        help="counted runs of each test under --leakscan (10)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "leakscan(runs=20, warmup=3, types=(), sites=False): run the test N times and fail it when it leaks",
    )


@pytest.fixture
def leakscan() -> Callable[..., Findings]:
    """`leakscan(run, runs=20, ...)`: leakscan.testing.assert_no_leaks, for a part of a test."""
    from leakscan.testing import assert_no_leaks

    return assert_no_leaks


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    asked = _asked(item)
    if asked is None or not isinstance(item, pytest.Function):
        return
    try:
        findings = _measure(item, asked)
    except _RunFailed:
        return
    from leakscan.testing import leaks_of, screen

    if leaks_of(findings, asked["types"]):
        item.stash[_OUTCOME] = screen(findings)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    text = item.stash.get(_OUTCOME, "")
    if text and call.when == "call" and report.passed:
        report.outcome = "failed"
        report.longrepr = text
    return report


def _asked(item: pytest.Item) -> dict[str, Any] | None:
    """How the test is to be measured, None when it is not."""
    marker = item.get_closest_marker("leakscan")
    if marker is None:
        if not item.config.getoption("--leakscan"):
            return None
        return {**_DEFAULTS, "runs": item.config.getoption("--leakscan-runs")}
    if marker.args or set(marker.kwargs) - set(_DEFAULTS):
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.leakscan takes {', '.join(_DEFAULTS)}, by name")
    asked = {**_DEFAULTS, **marker.kwargs}
    asked["types"] = tuple(asked["types"])
    return asked


def _measure(item: pytest.Function, asked: dict[str, Any]) -> Findings:
    from leakscan.testing import Measurement, measure

    how = Measurement(runs=asked["runs"], warmup=asked["warmup"], mode=asked["mode"], sites=asked["sites"])

    def run() -> None:
        _run_once(item)

    run.__module__, run.__qualname__ = item.module.__name__, item.name
    return measure(run, how)


def _run_once(item: pytest.Function) -> None:
    """Set up, call and tear down, without a report."""
    from _pytest.runner import runtestprotocol

    properties, sections = len(item.user_properties), len(item._report_sections)
    item._initrequest()
    # With the parent as next item only what belongs to this item is torn down, the item itself included.
    reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]  # has listchain
    is_passed = all(report.passed for report in reports)
    # What reporting collects for one run would pile up over many.
    del item.user_properties[properties:], item._report_sections[sections:]
    if not is_passed:
        raise _RunFailed
