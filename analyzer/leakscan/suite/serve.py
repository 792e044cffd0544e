"""Requests of the plugin, one JSON object a line, each with one answer; events of a session have none.

hello    what the session allows (folder, baseline, budgets); the version
judge    two snapshots of one test -> its leaks
begin    a capture of a test or a part of it begins -> how to run it; then its events, then `end` -> its leaks
again    a test shows leaks that were measured in another one
drop     that capture is given up
finish   the session is over: files to write -> sentences for its end
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from leakscan import __version__
from leakscan.errors import LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Findings
    from leakscan.suite.allowed import Allowed
    from leakscan.suite.measured import Capturing

# What analyses is imported by the first question about a test: most sessions have none.

Request = dict[str, Any]  # Any: JSON values, here and below
Answer = dict[str, Any]
ReadConfiguration = Callable[[Path], Mapping[str, Any]]
"""What pyproject.toml and the environment say in a folder: `baseline`, `budget`. Any: TOML values."""


def serve(requests: IO[str], answers: IO[str], configured: ReadConfiguration) -> int:
    """Answer until the plugin closes its end; the exit code."""
    server = _Server(configured)
    for line in requests:
        request = json.loads(line)
        if "event" in request:
            server.record(request)
            continue
        try:
            answer = server.answer(request)
        except LeakscanError as error:
            answer = {"error": error.message, "hint": error.hint}
        except OSError as error:
            answer = {"error": f"what was found cannot be kept: {error}", "hint": "is the disk full?"}
        except Exception as error:
            # The session goes on; the test that was asked about says so.
            answer = {"error": f"internal error, please report: {type(error).__name__}: {error}", "hint": ""}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


class _Server:
    """What one session of pytest has asked for so far."""

    def __init__(self, configured: ReadConfiguration) -> None:
        self._configured = configured
        self._allowed_there: Allowed | None = None
        self._capturing: Capturing | None = None
        self._failed: LeakscanError | None = None

    def record(self, event: Request) -> None:
        # An event has no answer: what fails here is told at the end of the capture.
        if self._capturing is None or self._failed is not None:
            return
        try:
            self._capturing.record(event)
        except LeakscanError as error:
            self._failed = error
        except OSError as error:
            self._failed = LeakscanError(f"the capture cannot be written: {error.strerror}")

    def answer(self, request: Request) -> Answer:
        asks: dict[str, Callable[[Request], Answer]] = {
            "hello": self._hello,
            "judge": self._judge,
            "begin": self._begin,
            "end": self._end,
            "drop": self._drop,
            "again": self._again,
            "finish": self._finish,
        }
        ask = asks.get(request["ask"])
        if ask is None:
            raise UsageError(
                f"this leakscan does not know {request['ask']!r}", hint="install the same version"
            )
        return ask(request)

    def _hello(self, request: Request) -> Answer:
        if request.get("version") != __version__:
            raise UsageError(
                f"the plugin of leakscan {request.get('version', '?')} and leakscan {__version__} do not fit",
                hint="install the same version of both",
            )
        settings = self._configured(Path(request["folder"]))
        words = (request["baseline"], request["budgets"], settings.get("baseline"), settings.get("budget"))
        if any(words):
            from leakscan.suite.allowed import allowed_of

            self._allowed_there = allowed_of(request, settings)
        return {"version": __version__}

    @property
    def _allowed(self) -> Allowed:
        if self._allowed_there is None:
            from leakscan.suite.allowed import Allowed

            self._allowed_there = Allowed()
        return self._allowed_there

    def _judge(self, request: Request) -> Answer:
        from leakscan.suite.measured import findings_between

        return self._answered(request, findings_between(request))

    def _begin(self, request: Request) -> Answer:
        from leakscan.suite.measured import Capturing

        self._failed = None
        self._capturing = Capturing(request)
        return {"config": self._capturing.config}

    def _end(self, request: Request) -> Answer:
        capturing, failed = self._capturing, self._failed
        self._capturing = None
        if capturing is None:
            raise UsageError("no capture was begun")
        with capturing:
            if failed is not None:
                raise failed
            return self._answered(request, capturing.findings())

    def _again(self, request: Request) -> Answer:
        from leakscan.suite.kept import keep_again

        keep_again(Path(request["kept"]), request["test"], request["leaks"])
        return {}

    def _finish(self, request: Request) -> Answer:
        from leakscan.suite.finish import finish

        return {"said": finish(request, self._allowed)}

    def _drop(self, _: Request) -> Answer:
        if self._capturing is not None:
            self._capturing.close()
        self._capturing = None
        return {}

    def _answered(self, request: Request, findings: Findings) -> Answer:
        from leakscan.suite.kept import keep
        from leakscan.suite.told import answer_of

        answer = answer_of(findings, self._allowed, tuple(request["types"]))
        keep(Path(request["kept"]), request["test"], findings, [*answer["leaks"], *answer["allowed"]])
        return answer
