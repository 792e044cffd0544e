"""Capturing a Node that runs already, over its inspector: snapshots of one session make a capture."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from leakscan.answers.analyse import analysed_capture
from leakscan.capture.inspector.inspected import capture_inspected
from leakscan.capture.inspector.open_inspector import open_inspector
from leakscan.errors import AttachError, CaptureError, UsageError
from node_runs import NODE, needs_node

SERVICE = """
class Session {}
const sessions = new Map();
process.stdin.on("data", () => {
  sessions.set(`s-${sessions.size}`, new Session());
  process.stdout.write(".");
});
process.stdout.write("ready");
"""


@contextlib.contextmanager
def service(*flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Node that keeps one more session for each byte it is sent, and answers it."""
    assert NODE is not None
    with subprocess.Popen(
        [NODE, *flags, "-e", SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(5) == b"ready"
            yield process
        finally:
            process.kill()


def address_in(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().decode().split("ws://")[1].split("/")[0]


def keep_one_more(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.read(1) == b"."


@needs_node
def test_what_a_running_node_keeps_is_dated_by_the_snapshots_between(tmp_path):
    with service("--inspect=127.0.0.1:0") as process:
        captured = capture_inspected(
            address_in(process),
            output=tmp_path / "leak",
            snapshots=6,
            wait_seconds=1.0,
            wait=lambda _: keep_one_more(process),
        )
    findings = analysed_capture(captured)
    leak = findings.leaks[0]
    assert (findings.verdict, leak.type_name, leak.births) == ("leak", "Session", (1,) * 5)


@needs_node
def test_a_node_without_an_inspector_opens_one_when_asked():
    with service("--inspect-port=127.0.0.1:0") as process:
        address = open_inspector(process.pid)
        assert address.startswith("127.0.0.1:")
        assert open_inspector(process.pid) == address


def test_a_program_that_the_signal_would_end_is_not_asked():
    with subprocess.Popen(["sleep", "60"]) as process:
        with pytest.raises(AttachError, match="runs sleep, not Node"):
            open_inspector(process.pid)
        assert process.poll() is None
        process.kill()


def test_nobody_listening_is_said(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(AttachError, match=rf"cannot connect to 127\.0\.0\.1:{port}"):
            capture_inspected(str(port), output=tmp_path / "leak")
    assert not (tmp_path / "leak").exists()


def test_another_server_is_no_inspector(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AttachError, match="is no inspector"):
            capture_inspected(f"127.0.0.1:{server.getsockname()[1]}", output=tmp_path / "leak")
        thread.join()


@needs_node
def test_a_program_that_ends_between_two_snapshots_leaves_what_was_taken(tmp_path):
    with (
        service("--inspect=127.0.0.1:0") as process,
        pytest.raises(AttachError, match="ended the connection"),
    ):
        capture_inspected(
            address_in(process), output=tmp_path / "leak", wait=lambda _: (process.kill(), process.wait())
        )
    assert (tmp_path / "leak" / "before.heapsnapshot").exists()


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(AttachError, match="'nowhere' is no address"):
        capture_inspected("nowhere", output=tmp_path / "leak")


def test_one_snapshot_is_no_capture(tmp_path):
    with pytest.raises(UsageError, match="1 snapshots make no capture"):
        capture_inspected("9229", output=tmp_path / "leak", snapshots=1)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CaptureError, match="already exists"):
        capture_inspected("9229", output=tmp_path)
