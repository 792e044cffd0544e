"""The process that analyses what the tests record: one for a session of pytest, started when needed.

So the heap that is measured stays what the tests made of it, and their environment needs no library for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from typing import IO, Any, Final

from leakscan import __version__
from leakscan.errors import CaptureError, LeakscanError

# Any in this file: JSON values.

VARIABLE: Final = "LEAKSCAN"


def is_elsewhere() -> bool:
    """Whether the leakscan that analyses is not that of this environment."""
    return bool(os.environ.get(VARIABLE)) or find_spec("leakscan.suite") is None


def command_line() -> list[str]:
    """How leakscan is started: what LEAKSCAN says, the one in this environment, or the one on PATH."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return [*shlex.split(named), "_suite"]
    if find_spec("leakscan.suite") is not None:
        # Not the folder of the tests: it may hold a module of any name.
        return [sys.executable, "-P", "-W", "ignore", "-m", "leakscan", "_suite"]
    found = shutil.which("leakscan")
    if found is None:
        raise CaptureError(
            "leakscan-pytest needs a leakscan that analyses, and there is none on PATH",
            hint="`uv tool install leakscan-heap` or `pipx install leakscan-heap`, or name one by LEAKSCAN",
        )
    return [found, "_suite"]


class Analyst:
    """Talks to that process. `hello`: what it is told of the session before anything else."""

    def __init__(self, hello: dict[str, Any]) -> None:
        self._hello = hello
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[bytes] | None = None
        self._owner = os.getpid()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """The answer. CaptureError: it cannot be had."""
        self.start()
        answer = self._exchange({"ask": what, **fields})
        if "error" in answer:
            raise CaptureError(answer["error"], hint=answer.get("hint", ""))
        return answer

    def write(self, event: str, **fields: Any) -> None:
        """An event of a session that is being captured."""
        self._send({"event": event, **fields})

    def start(self) -> None:
        """Have it ready: what starting costs this process once belongs to no run."""
        if self._process is not None:
            return
        words = command_line()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                encoding="utf-8",
                # An interrupt is for the tests.
                start_new_session=True,
            )
        except OSError as error:
            raise CaptureError(
                f"{words[0]} cannot be started: {error.strerror}", hint=f"name a leakscan by {VARIABLE}"
            ) from None
        hello = {"ask": "hello", "version": __version__, **self._hello}
        try:
            answer = self._exchange(hello)
        except LeakscanError:
            # Another program of that name, or a leakscan that knows nothing of this.
            self.close()
            raise CaptureError(
                f"{shlex.join(words[:-1])} is no leakscan {__version__}: it does not answer the plugin",
                hint=f"install leakscan-heap {__version__}, or name one by {VARIABLE}",
            ) from None
        if "error" in answer:
            self.close()
            raise CaptureError(answer["error"], hint=answer.get("hint", ""))
        if answer.get("version") != __version__:
            # It may be one that does not compare.
            self.close()
            raise CaptureError(
                f"the plugin of leakscan {__version__} and leakscan {answer.get('version', '?')} do not fit",
                hint="install the same version of both",
            )

    def close(self) -> None:
        """End it; only by the process that started it, not by a child that a test has forked."""
        process, self._process = self._process, None
        if process is None or os.getpid() != self._owner:
            return
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait()
        process.stdout.close()
        if self._complaints is not None:
            self._complaints.close()

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        self._send(request)
        assert self._process is not None and self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
            answer = json.loads(line) if line else None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._gone()
        return answer

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None:
            raise CaptureError("the process that analyses has not been started")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._gone() from None

    def _gone(self) -> CaptureError:
        said = ""
        if self._complaints is not None:
            with contextlib.suppress(OSError, ValueError):
                self._complaints.seek(0)
                said = self._complaints.read().decode("utf-8", "replace").strip()
        self.close()
        last = said.splitlines()[-1] if said else "it said nothing"
        return CaptureError(f"the process that analyses has ended: {last}")
