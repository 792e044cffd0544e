"""A test is run again and again, and the analyst is asked what that left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from leakscan.pytest_plugin.analyst import Analyst
from leakscan.pytest_plugin.asked import Asked
from leakscan.pytest_plugin.ending import Kept
from leakscan.pytest_plugin.runs import run_once, tidy
from leakscan.record import births
from leakscan.record.growth import AFTER, BEFORE, record_growth
from leakscan.record.left import Left
from leakscan.record.session import Session
from leakscan.record.target import Target

Answer = dict[str, Any]  # Any: JSON values


class Measuring:
    """Measures tests of one session, and remembers what it knows again in a later test."""

    def __init__(self, analyst: Analyst, kept: Kept) -> None:
        self._analyst = analyst
        self._kept = kept
        self._known: list[tuple[str, Answer | None, Left, int]] = []

    def answer(self, item: pytest.Function, asked: Asked, mode: str) -> Answer:
        """What the analyst says of one mode of a marked test.

        Raises RunFailed, and MeasuresItself where the test records births of its own.
        """

        def run() -> None:
            armed = births.times_armed()
            run_once(item)
            births.check_still_ours(armed)

        # The test ends its streams itself, as the mode says.
        fields = {**self.fields(item, mode, asked.types), "drive": "consume"}
        run.__module__, run.__qualname__ = item.module.__name__, item.name
        return self._captured(run, asked, fields)

    def fields(self, item: pytest.Function, mode: str, types: tuple[str, ...]) -> dict[str, Any]:
        """What the analyst is told of a test."""
        return {
            "target": f"{item.module.__name__}:{item.name}",
            "mode": mode,
            "types": types,
            "test": item.nodeid,
            "folder": str(item.config.invocation_params.dir),
            "kept": self._kept.folder,
        }

    def is_known(self, left: Left) -> bool:
        """Whether another test has left that."""
        return self._known_as(left) is not None

    def grown(
        self, item: pytest.Function, asked: Asked, left: Left, run: Callable[[], None]
    ) -> Answer | None:
        """What the analyst says of a test that leaves something; None when its runs do not after all."""
        known = self._known_as(left)
        if known is not None:
            return self._again(item.nodeid, *known)
        answer = self._grown(item, run, asked)
        if left.types:
            self._known.append((item.nodeid, answer, left, asked.runs))
        return answer

    def _known_as(self, left: Left) -> tuple[str, Answer | None] | None:
        """The test that showed it first, and the answer about that one."""
        for test, answer, earlier, runs in self._known:
            if left.is_like(earlier, runs=runs):
                return test, answer
        return None

    def assert_no_leaks(self, test: str, config: pytest.Config) -> Callable[..., None]:
        """What `leakscan.testing.assert_no_leaks` is, where that is not installed; without findings."""

        def check(
            run: Callable[[], Any],
            *,
            runs: int = 20,
            warmup: int = 3,
            mode: str = "consume",
            types: tuple[str, ...] = (),
            sites: bool = False,
        ) -> None:
            module, name = (
                getattr(run, "__module__", ""),
                getattr(run, "__qualname__", type(run).__qualname__),
            )
            fields = {"target": f"{module}:{name}", "mode": mode, "drive": mode, "types": types, "test": test}
            fields |= {"folder": str(config.invocation_params.dir), "kept": self._kept.folder}
            answer = self._captured(run, Asked(runs, warmup, types, (mode,), sites, True), fields)
            if answer["leaks"]:
                raise AssertionError(f"\n{answer['text']}")

        return check

    def _grown(self, item: pytest.Function, run: Callable[[], None], asked: Asked) -> Answer | None:
        # Before the runs: what starting it leaves here is older than they are.
        self._analyst.start()
        with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
            if not record_growth(run, lambda: tidy(item), runs=asked.runs, folder=folder):
                return None
            before, after = os.path.join(folder, BEFORE), os.path.join(folder, AFTER)
            fields = self.fields(item, asked.modes[0], asked.types)
            return self._analyst.ask("judge", before=before, after=after, runs=asked.runs, **fields)

    def _captured(self, run: Callable[[], Any], asked: Asked, fields: dict[str, Any]) -> Answer:
        """The same by a whole capture, as `leakscan capture` makes one."""
        analyst = self._analyst
        begun = analyst.ask("begin", runs=asked.runs, warmup=asked.warmup, sites=asked.sites, **fields)
        session = Session(begun["config"], analyst, load=lambda: Target(fields["target"], run))
        try:
            session.prepare()
            session.measure()
        except BaseException:
            analyst.ask("drop")
            raise
        finally:
            session.close()
        return analyst.ask("end", **fields)

    def _again(self, test: str, first: str, answer: Answer | None) -> Answer | None:
        """The answer about a test whose runs left the same, with the same holders."""
        if answer is None or not (answer["leaks"] or answer["allowed"]):
            return answer
        self._analyst.ask(
            "again", test=test, leaks=[*answer["leaks"], *answer["allowed"]], kept=self._kept.folder
        )
        verdict = str(answer["text"]).partition("\n\n")[0]
        said = (
            f"{verdict}\n\nMeasured in {first}: the runs of this test leave the same with the same holders."
        )
        return {**answer, "text": said if verdict else ""}
