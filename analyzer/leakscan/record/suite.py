"""Tests of pytest as target: one run sets a test up, calls it and tears it down, as a session would.

pytest is the program's own. Its session stays open during all runs, so that what its wider fixtures hold is
alive; what piles up in them is the run's.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from leakscan.errors import CaptureError

# Any in this file: pytest's objects; its package is not there where leakscan is checked for the recorder.

_OPTIONS: Final = (
    *("-s", "-q", "-p", "no:cacheprovider"),
    # leakscan is loaded before pytest here; where its plugin is installed, too, pytest would say so, and
    # many a suite makes errors of warnings.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


class Suite:
    """The tests that a node id of pytest names: `tests/test_chat.py::TestChat::test_stream`."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._items: list[Any] = []

    def open(self) -> Iterator[None]:
        """Configure pytest as `pytest NODE_ID` here does, collect, and close it all after the runs."""
        try:
            pytest, configuring = import_module("pytest"), import_module("_pytest.config")
        except ImportError:
            raise CaptureError(
                f"{self._node_id} is a test of pytest, and the program's environment has no pytest",
                hint="name the environment that the tests run in with --python",
            ) from None
        try:
            config = configuring._prepareconfig([*_OPTIONS, self._node_id], None)
            config._do_configure()
            session = pytest.Session.from_config(config)
            config.hook.pytest_sessionstart(session=session)
            self._items = list(session.perform_collect())
        except pytest.UsageError as error:
            raise CaptureError(
                f"pytest: {error}", hint=f"`pytest --collect-only -q {self._node_id}` says what there is"
            ) from None
        if session.testsfailed or not self._items:
            raise CaptureError(
                f"pytest collects no test of {self._node_id}", hint=f"see what `pytest {self._node_id}` says"
            )
        yield
        session._setupstate.teardown_exact(None)
        config.hook.pytest_sessionfinish(session=session, exitstatus=0)
        config._ensure_unconfigure()

    def run(self) -> None:
        """Each test once. CaptureError: one did not pass."""
        for number, item in enumerate(self._items):
            following = self._items[(number + 1) % len(self._items)]
            # What the next test needs stays set up; with one test that is all but the test itself.
            _run_once(item, following if following is not item else item.parent)


def _run_once(item: Any, following: Any) -> None:
    properties, sections = len(item.user_properties), len(item._report_sections)
    reports = import_module("_pytest.runner").runtestprotocol(item, log=False, nextitem=following)
    # What reporting collects for one run would pile up over many.
    del item.user_properties[properties:], item._report_sections[sections:]
    for report in reports:
        if not report.passed:
            raise CaptureError(
                f"{item.nodeid} {'is skipped' if report.skipped else f'fails in its {report.when}'}\n"
                f"{report.longreprtext}".rstrip(),
                hint="a test must pass again and again in one session to be measured",
            )
