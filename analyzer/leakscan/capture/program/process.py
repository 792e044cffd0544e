"""A command under way, and the Python processes in it that may be captured."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import leakscan
from leakscan.capture.native_module import native_path
from leakscan.capture.proc_stat import stat_fields
from leakscan.capture.scenario.target_process import GRACE_SECONDS, POLL_SECONDS, stderr_descriptor
from leakscan.errors import CaptureError

# Any in this file: JSON values.

VARIABLE: Final = "_LEAKSCAN_PROGRAM"
"""As record/rounds.py reads it."""
_HOOK: Final = Path(leakscan.__file__).parent / "record" / "program" / "hook"
_LONGEST_PATH: Final = 100
"""Bytes of a socket's name, less than the system allows."""


class Member:
    """One Python process of the command, as it said of itself."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""
        self.pid = 0
        self.parent = 0
        self.command: list[str] = []

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self) -> list[dict[str, Any]] | None:
        """What it says; None when it is gone."""
        try:
            block = self._connection.recv(1 << 16)
        except OSError:
            block = b""
        if not block:
            return None
        *lines, self._pending = (self._pending + block).split(b"\n")
        return [json.loads(line) for line in lines]

    def say(self, order: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self._connection.sendall(json.dumps(order).encode() + b"\n")

    def close(self) -> None:
        self._connection.close()


class Program:
    """The command, started. A context: what is left of it is ended on leaving.

    `config` is what the process that is captured needs to know; `on_call` and `is_driven` tell every Python
    process of it what to watch.
    """

    def __init__(
        self,
        command: Sequence[str],
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        on_call: Sequence[str] = (),
        is_driven: bool = False,
    ) -> None:
        self.config = config
        self.members: list[Member] = []
        self.captured: Member | None = None
        self._is_under_way = False
        self.timed_out = False
        self.was_interrupted = False
        self.interrupted_at = 0.0
        self._deadline: float | None = None
        self._folder = tempfile.mkdtemp(prefix="leakscan-", dir=_short_folder())
        self._listener = socket.socket(socket.AF_UNIX)
        self._selector = selectors.DefaultSelector()
        try:
            path = os.path.join(self._folder, "runs")
            self._listener.bind(path)
            self._listener.listen(64)
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._process = _started(
                command,
                environment,
                {
                    "socket": path,
                    "package_dir": str(Path(leakscan.__file__).parent),
                    "native_path": native_path(),
                    "on_call": list(on_call),
                    "is_driven": is_driven,
                },
            )
        except BaseException:
            self._clean()
            raise

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._clean()

    def _clean(self) -> None:
        for member in self.members:
            member.close()
        self._selector.close()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def exit_code(self) -> int | None:
        """Of the command's own process, negative: the signal; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Somebody wants it to end; what was captured stays."""
        self.was_interrupted, self.interrupted_at = True, time.monotonic()

    def begin_run(self, seconds: float | None) -> None:
        """The run that begins now may take that long; None: as long as it likes."""
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def end_run(self) -> None:
        self._deadline = None

    def events(self, *, at_most_seconds: float) -> Iterator[dict[str, Any]]:
        """What the captured process has said by then; ends early when there is something."""
        heard: list[dict[str, Any]] = []
        for key, _ in self._selector.select(at_most_seconds):
            if key.fileobj is self._listener:
                self._take_in()
            elif isinstance(key.fileobj, Member):
                heard += self._hear(key.fileobj)
        yield from heard

    @property
    def is_over(self) -> bool:
        """Nobody is left who could say anything."""
        if self.captured is not None:
            return self.captured not in self.members
        return self.exit_code is not None and not self.members

    def choose(self) -> None:
        """The process that was started first, when nothing says which one is meant."""
        known = [member for member in self.members if member.pid]
        if not known:
            return
        self.captured = known[0]
        rest = len(known) - 1
        if rest:
            print(
                f"the runs are those of process {self.captured.pid} ({shlex.join(self.captured.command)}); "
                f"{rest} more of this command are not looked at",
                file=sys.stderr,
            )

    def wait_for_code(self) -> int | None:
        """Once the captured process is gone: how the command ended, None when it goes on without it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1.0)
        return None

    def check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.timed_out = True

    def stop(self) -> None:
        """As a supervisor would: SIGTERM, then after GRACE_SECONDS SIGKILL."""
        for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
            if self._is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                end = time.monotonic() + seconds
                while self._is_alive() and time.monotonic() < end:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(POLL_SECONDS)
        self._process.wait()

    def _is_alive(self) -> bool:
        if self._process.poll() is None:
            return True
        try:
            os.killpg(self._process.pid, 0)
        except OSError:
            return False
        return any(_is_running(member.pid) for member in self.members)

    def _take_in(self) -> None:
        connection, _ = self._listener.accept()
        member = Member(connection)
        self.members.append(member)
        self._selector.register(member, selectors.EVENT_READ)

    def _hear(self, member: Member) -> list[dict[str, Any]]:
        said = member.read()
        if said is None:
            self._selector.unregister(member)
            member.close()
            self.members.remove(member)
            if member is self.captured and not self._is_under_way:
                # A child of the first run, say: nothing of it was measured, and another may follow.
                self.captured = None
            return []
        for event in said:
            if event["event"] == "hello":
                member.pid, member.parent, member.command = event["pid"], event["parent"], event["command"]
            elif event["event"] == "claim":
                self._answer_claim(member)
        if member is not self.captured:
            return []
        self._is_under_way = self._is_under_way or any(event["event"] == "started" for event in said)
        return [event for event in said if event["event"] not in ("hello", "claim")]

    def _answer_claim(self, member: Member) -> None:
        if self.captured is None:
            self.captured = member
            member.say({"config": self.config})
            return
        member.say({"refused": f"those of process {self.captured.pid} are"})


def command_text(command: Sequence[str]) -> str:
    return shlex.join(command)


def _started(
    command: Sequence[str], environment: Mapping[str, str], offer: Mapping[str, Any]
) -> subprocess.Popen[bytes]:
    earlier = environment.get("PYTHONPATH", "")
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            # Our stdout is for the answer; the program's output goes where progress goes.
            stdout=stderr_descriptor(),
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join([str(_HOOK), *([earlier] if earlier else [])]),
                VARIABLE: json.dumps(offer),
            },
            # Ctrl-C goes to us: the program is ended when what it did is written.
            process_group=0,
        )
    except OSError as error:
        instead = "-- python script.py"
        if Path(command[0]).is_file():
            instead = f"-- python {command_text(command)}"
        raise CaptureError(
            f"cannot start {shlex.quote(command[0])}: {error.strerror}",
            hint=f"after `--` comes a command as you would type it: {instead}",
        ) from error


def _short_folder() -> str | None:
    return None if len(os.fsencode(tempfile.gettempdir())) < _LONGEST_PATH - 30 else "/tmp"


def _is_running(pid: int) -> bool:
    try:
        return stat_fields(Path(f"/proc/{pid}"))[:1] != ["Z"]
    except OSError:
        return False
