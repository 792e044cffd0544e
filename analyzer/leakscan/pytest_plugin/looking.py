"""The first look at a test of a suite that is measured as a whole, its ordinary run included.

The runs before show what the test leaves; where one run more would settle it, the ordinary one is that run.
"""

from __future__ import annotations

from typing import Any

import pytest

from leakscan.pytest_plugin.asked import Asked
from leakscan.pytest_plugin.measuring import Answer, Measuring
from leakscan.pytest_plugin.runs import drop_done_finalizers, run_once, runs_alike, tidy, warm
from leakscan.record import births
from leakscan.record.first_look import Look, Said

# Any in this file: what hooks return.


class TestLook:
    """To be closed in the end, as often as one likes. `is_waiting`: for the ordinary run of the test."""

    __test__ = False

    def __init__(self, measuring: Measuring, item: pytest.Function, asked: Asked) -> None:
        self._measuring = measuring
        self._item = item
        self.asked = asked
        self.is_waiting = False
        self._is_quiet = True
        self._times_armed = 0
        self._look = Look(self._run, lambda: tidy(item), is_known=measuring.is_known)

    def before(self, nextitem: pytest.Item | None) -> Answer | None:
        """What the runs before the ordinary one show; with None the look may be waiting for that one.

        Raises RunFailed, and MeasuresItself where the test records births of its own.
        """
        item = self._item
        warm(item)
        # Where the next test needs other fixtures of its class or module, more is torn down than in each run.
        is_alike = nextitem is not None and nextitem.parent is item.parent and runs_alike(item)
        self._look.open()
        said = self._look.ask(spares_last=is_alike)
        if said is Said.ONE_RUN_MORE and self._is_quiet:
            self.is_waiting = True
            self._times_armed = births.times_armed()
            return None
        if said is Said.ONE_RUN_MORE:
            said = self._look.ask()
        return self._answer(said)

    def begin(self) -> None:
        """A phase of the ordinary run begins."""
        self._look.begin_elsewhere()

    def pause(self) -> None:
        """It has ended: what is made of it, such as its report, is none of the test's."""
        self._look.pause_elsewhere()

    def after(self) -> Answer | None:
        """What that run shows, after its last phase."""
        self.is_waiting = False
        if births.times_armed() != self._times_armed:
            return None
        # As pytest does a moment later; with a dict, for others look into it when a test is reported.
        self._item._request = False  # type: ignore[assignment]  # pytest does so
        self._item.funcargs = {}
        drop_done_finalizers(self._item)
        try:
            return self._answer(self._look.end_elsewhere())
        finally:
            self._item.funcargs = {}

    def close(self) -> None:
        self.is_waiting = False
        self._look.close()

    def _answer(self, said: Said) -> Answer | None:
        self._look.close()
        if said is Said.NOTHING:
            return None
        return self._measuring.grown(self._item, self.asked, self._look.left, self._run)

    def _run(self) -> None:
        armed = births.times_armed()
        self._is_quiet = run_once(self._item) and self._is_quiet
        births.check_still_ours(armed)


class Phases:
    """The phases of a run that a look waits for. A plugin of its own, of sessions that look at all tests."""

    def __init__(self, look_of: pytest.StashKey[TestLook]) -> None:
        self._look_of = look_of

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Any:
        return (yield from self._during(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        return (yield from self._during(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Any:
        return (yield from self._during(item))

    def _during(self, item: pytest.Item) -> Any:
        look = item.stash.get(self._look_of, None)
        if look is None or not look.is_waiting:
            return (yield)
        look.begin()
        try:
            return (yield)
        finally:
            look.pause()
