"""A web application as target: how requests are written, and what the application sees of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from leakscan.capture.scenario.requests import parse_request, parse_requests_file
from leakscan.errors import CaptureError, UsageError
from verdicts import first_leak

JSON = (("Content-Type", "application/json"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/chat", ("GET", "/chat", (), "", None)),
        ("get /chat?q=1", ("GET", "/chat?q=1", (), "", None)),
        ('POST /chat {"text": "hi you"}', ("POST", "/chat", JSON, '{"text": "hi you"}', None)),
        ("POST /login name=a&word=b", ("POST", "/login", FORM, "name=a&word=b", None)),
        ("/missing => 404", ("GET", "/missing", (), "", 404)),
        ("GET /caf\u00e9/\u65e5?q=\u00e9%20a", ("GET", "/caf%C3%A9/%E6%97%A5?q=%C3%A9%20a", (), "", None)),
        ("GET http://localhost:8000/x", ("GET", "/x", (("Host", "localhost:8000"),), "", None)),
    ],
)
def test_a_request_is_a_line(text: str, said: tuple[object, ...]) -> None:
    found = parse_request(text)
    assert (found.method, found.path, found.headers, found.body, found.status) == said


@pytest.mark.parametrize("text", ["", "chat", "FETCH /chat", "GET", "GET chat"])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_request(text)


def test_a_header_takes_ascii(tmp_path: Path) -> None:
    (tmp_path / "x.http").write_text("GET /chat\nX-Name: \u65e5\n")
    with pytest.raises(UsageError, match="the header X-Name"):
        parse_requests_file(tmp_path / "x.http")


def test_a_file_holds_several_requests(tmp_path: Path) -> None:
    file = tmp_path / "chat.http"
    file.write_text(
        "### first\nPOST http://localhost/chat HTTP/1.1\nContent-Type: text/x\nX-Key: a:b\n\n"
        "some\ntext\n\n###\n# a comment\nGET /health\n\n### third\n/gone => 410\n"
    )
    first, second, third = parse_requests_file(file)
    assert first.headers == (("Host", "localhost"), ("Content-Type", "text/x"), ("X-Key", "a:b"))
    assert (first.body, second.path, third.status) == ("some\ntext", "/health", 410)


def test_a_variable_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chat.http"
    file.write_text("GET {{host}}/chat\n")
    with pytest.raises(UsageError, match="host"):
        parse_requests_file(file)


ASGI = """
import asyncio

class Seen:
    pass

SEEN = []
STARTED = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = "open"
        STARTED.append(1)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shut down", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive())["body"]
    assert scope["state"]["pool"] == "open" and len(STARTED) == 1
    if scope["path"] == "/broken":
        raise RuntimeError("broken")
    if scope["path"] == "/silent":
        return
    seen = Seen()
    SEEN.append(seen)
    status = 404 if scope["path"] == "/missing" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    for number in range(9):
        gone = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        if gone.done():
            SEEN.remove(seen) if scope["path"] == "/careful" else None
            return
        gone.cancel()
        await send({"type": "http.response.body", "body": body or b"x", "more_body": True})
    SEEN.remove(seen)
    await send({"type": "http.response.body"})
"""


def leak_of(folder: Path, source: str, *requests: str, mode: str = "consume") -> tuple[int, str] | None:
    (folder / "service.py").write_text(source)
    settings = Settings(runs=6, warmup=2, requests=tuple(map(parse_request, requests)))
    found = capture(f"{folder}/service.py:app", output=folder / "leak", mode=mode, settings=settings)
    return first_leak(analysed_capture(found))


@pytest.mark.parametrize("mode", ["abandon", "cancel", "timeout", "error"])
def test_a_client_that_goes_leaves_what_the_application_does_not_let_go(tmp_path: Path, mode: str) -> None:
    assert leak_of(tmp_path, ASGI, "/stream", mode=mode) == (6, "Seen")


@pytest.mark.parametrize("mode", ["consume", "abandon"])
def test_an_application_that_hears_of_it_is_silent(tmp_path: Path, mode: str, capfd) -> None:
    assert leak_of(tmp_path, ASGI, "/careful", "POST /careful {}", mode=mode) is None
    assert "shut down" in capfd.readouterr().err


def test_an_application_without_a_lifespan_has_none(tmp_path: Path) -> None:
    source = ASGI.replace('if scope["type"] == "lifespan":', 'assert scope["type"] == "http"\n    if 0:')
    source = source.replace('assert scope["state"]["pool"] == "open" and len(STARTED) == 1', "")
    assert leak_of(tmp_path, source, "/stream") is None


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        ("/missing", "answered GET /missing with 404"),
        ("/stream => 404", "answered GET /stream with 200, not 404"),
        ("/silent", "ended without a response to GET /silent"),
        ("/broken", "raised RuntimeError"),
    ],
)
def test_an_answer_that_is_not_expected_ends_the_capture(
    tmp_path: Path, request_line: str, message: str
) -> None:
    with pytest.raises(CaptureError, match=message):
        leak_of(tmp_path, ASGI, request_line)


def test_an_error_that_is_expected_is_measured(tmp_path: Path) -> None:
    assert leak_of(tmp_path, ASGI, "/broken => 500", "/missing => 404") is None


WSGI = """
class Seen:
    pass

SEEN = []

def app(environ, start_response):
    start_response("200 OK", [])
    assert environ["QUERY_STRING"] == "a=1" and environ["wsgi.input"].read() == b"{}"
    return chunks()

def chunks():
    SEEN.append(Seen())
    for number in range(9):
        yield b"x"
    SEEN.clear()
"""


@pytest.mark.parametrize(("mode", "leak"), [("consume", None), ("abandon", (6, "Seen"))])
def test_wsgi_streams_end_as_the_mode_says(tmp_path: Path, mode: str, leak: tuple[int, str] | None) -> None:
    assert leak_of(tmp_path, WSGI, "POST /?a=1 {}", mode=mode) == leak


def test_what_is_no_application_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no ASGI or WSGI application"):
        leak_of(tmp_path, "app = lambda one: None", "/")
