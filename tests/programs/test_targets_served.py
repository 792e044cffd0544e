"""Servers as they are started in production: leakscan starts them, sends them requests, and ends them."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asked import kinds
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, read_capture
from leakscan.capture.program.run import Marks, capture_program
from leakscan.capture.program.serving import by_requests, check_is_free, requests_to, server_of
from leakscan.errors import CaptureError, UsageError
from verdicts import first_leak

pytest.importorskip("gunicorn")
FASTAPI = """
import asyncio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

class Seen:
    pass

app = FastAPI()
SEEN = []

@app.post("/chat")
async def chat(message: dict):
    {keep}
    return {{"echo": message["text"]}}

@app.get("/stream")
async def stream():
    async def parts():
        seen = Seen()
        SEEN.append(seen)
        for number in range(40):
            yield b"x" * 2000
            await asyncio.sleep(0.005)
        {after}
    return StreamingResponse(parts())
"""
FLASK = """
from flask import Flask, request

class Seen:
    pass

app = Flask(__name__)
SEEN = []

@app.post("/chat")
def chat():
    {keep}
    return {{"echo": request.json["text"]}}
"""
CHAT = 'POST /chat {"text": "hi"}'
RUNS = 5
"""The fewest that may be called a leak."""
SERVERS = {
    "uvicorn": (FASTAPI, ("-m", "uvicorn", "app:app", "--port", "PORT", "--log-level", "warning")),
    "gunicorn": (FLASK, ("-m", "gunicorn", "app:app", "-b", "127.0.0.1:PORT", "--log-level", "warning")),
    "gunicorn with threads": (
        FLASK,
        ("-m", "gunicorn", "app:app", "-b", "127.0.0.1:PORT", "--threads", "2", "--log-level", "warning"),
    ),
    "flask": (FLASK, ("-m", "flask", "run", "--port", "PORT")),
    "flask with its reloader": (FLASK, ("-m", "flask", "--debug", "run", "--port", "PORT")),
    "uvicorn with its reloader": (
        FASTAPI,
        ("-m", "uvicorn", "app:app", "--reload", "--port", "PORT", "--log-level", "warning"),
    ),
}


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def leak_of(
    folder: Path, port: int, command: tuple[str, ...], *texts: str, mode: str = "consume"
) -> tuple[int, str] | None:
    server = server_of(f"http://127.0.0.1:{port}/stream")
    drive = by_requests(server, requests_to(server, texts, ()), mode=mode, chunks=2, timeout_seconds=None)
    captured = capture_program(
        [sys.executable, *(word.replace("PORT", str(port)) for word in command)],
        output=folder / "leak",
        marks=Marks(kind="a server", drive=drive),
        settings=Settings(runs=RUNS, warmup=2),
        mode=mode,
        overwrite=True,
    )
    assert captured.status == "complete"
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
    return first_leak(analysed_capture(captured))


@pytest.mark.parametrize("server", kinds(SERVERS, "uvicorn", "gunicorn", "flask with its reloader"))
def test_a_server_is_started_asked_and_ended(
    tmp_path: Path,
    port: int,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    source, command = SERVERS[server]
    # Where there is a stream, a client that reads all of it leaves nothing either.
    twice = (CHAT, "/stream") if source is FASTAPI else (CHAT,)
    for keep, texts, leak in (("SEEN.append(Seen())", (CHAT,), (RUNS, "Seen")), ("pass", twice, None)):
        (tmp_path / "app.py").write_text(source.format(keep=keep, after="SEEN.remove(seen)"))
        assert leak_of(tmp_path, port, command, *texts) == leak
        assert ("--mode abandon leaves early" in capfd.readouterr().err) == ("/stream" in texts)


@pytest.mark.parametrize("mode", kinds(["abandon", "cancel"], "abandon"))
def test_a_client_that_goes_leaves_what_only_an_end_would_let_go(
    tmp_path: Path, port: int, mode: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(FASTAPI.format(keep="pass", after="SEEN.remove(seen)"))
    command = SERVERS["uvicorn"][1]
    assert leak_of(tmp_path, port, command, mode=mode) == (RUNS, "Seen")


def test_several_workers_are_refused(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(FLASK.format(keep="pass"))
    command = (*SERVERS["gunicorn"][1], "--workers", "2")
    with pytest.raises(CaptureError, match="2 workers answer at") as error:
        leak_of(tmp_path, port, command, CHAT)
    assert "--workers 1" in error.value.hint


def test_a_request_that_is_refused_is_said_before_the_runs(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(FLASK.format(keep="pass"))
    with pytest.raises(CaptureError, match="the server answered GET /chat with 405"):
        leak_of(tmp_path, port, SERVERS["flask"][1], "/chat")


def test_a_server_that_does_not_start_is_told(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaptureError, match="no run was seen: it ended with exit code 3"):
        leak_of(tmp_path, port, ("-c", "raise SystemExit(3)"))


def test_an_address_that_is_taken_is_refused(port: int):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(UsageError, match="something answers at"):
            check_is_free(server_of(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("text", ["ftp://host", "http://", "http://host:port/"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(UsageError):
        server_of(text)


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ((), "GET /chat?a=1"),
        (('POST {"text": "hi"}',), "POST /chat?a=1"),
        (("DELETE",), "DELETE /chat?a=1"),
        (("/other",), "GET /other"),
        (("POST /other a=1",), "POST /other"),
    ],
)
def test_a_request_without_a_path_goes_to_that_of_the_url(texts: tuple[str, ...], line: str):
    (request,) = requests_to(server_of("http://localhost:8000/chat?a=1"), texts, ())
    assert f"{request.method} {request.path}" == line


def test_the_command_line_starts_the_server_too_and_requests_may_come_at_once(tmp_path: Path, port: int):
    (tmp_path / "app.py").write_text(FASTAPI.format(keep="SEEN.append(Seen())", after="pass"))
    words = ["capture", "--url", f"http://127.0.0.1:{port}/chat", "--request", 'POST {"text": "hi"}']
    command = [*(word.replace("PORT", str(port)) for word in SERVERS["uvicorn"][1])]
    how = ["--mode", "concurrent", "--runs", str(RUNS)]
    done = subprocess.run(
        [sys.executable, "-m", "leakscan", *words, *how, "--", sys.executable, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert f"{RUNS} runs, {RUNS} returned" in done.stdout
    leak = analysed_capture(read_capture(tmp_path / "leak")).leaks[0]
    assert (leak.count, leak.births) == (4 * RUNS, (4,) * RUNS)
