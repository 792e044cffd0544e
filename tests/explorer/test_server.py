"""The door: who gets in, and what every answer carries."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawn_captures import CLEAN, draw_capture, draw_modes, leaking
from leakscan.errors import LeakscanError
from leakscan.explorer.server import Door
from leakscan.explorer.session import Session


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door(lambda path, parameters: (200, "text/html", f"{path} {parameters}", ""))
    thread = threading.Thread(target=door.serve, daemon=True)
    thread.start()
    yield door
    door.close()
    thread.join(timeout=10)


def asked(
    door: Door, target: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    headers = {"Host": host} if host is not None else {}
    connection.request(method, target, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body, answer.headers


def test_who_has_the_token_gets_in(door: Door):
    status, body, _ = asked(door, f"{door.base}/object/3?rows=5")
    assert (status, body) == (200, "/object/3 {'rows': '5'}")


@pytest.mark.parametrize("target", ["/", "/object/3", "/wrong/", "//", "/%2e%2e/", "*"])
def test_without_the_token_nothing_is_told(door: Door, target: str):
    status, body, headers = asked(door, target)
    assert (status, body, headers["Server"]) == (404, "Not found.\n", "leakscan")


def test_a_longer_token_does_not_get_in(door: Door):
    assert asked(door, door.base + "x/")[0] == 404
    assert asked(door, door.base[:-1] + "/")[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "[::1]:80"]
)
def test_another_host_name_is_refused_even_with_the_token(door: Door, host: str):
    assert asked(door, f"{door.base}/", host=host)[0] == 421


def test_localhost_is_this_machine_too(door: Door):
    assert asked(door, f"{door.base}/", host=f"localhost:{door.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_reading_is_answered(door: Door, method: str):
    assert asked(door, f"{door.base}/", method=method)[0] == 501


def test_head_has_no_body(door: Door):
    status, body, headers = asked(door, f"{door.base}/", method="HEAD")
    assert (status, body, int(headers["Content-Length"]) > 0) == (200, "", True)


def test_every_answer_forbids_scripts_frames_and_referrers(door: Door):
    for target in (f"{door.base}/", "/wrong"):
        headers = asked(door, target)[2]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'") and "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_it_listens_on_the_loopback_only(door: Door):
    assert door._server.server_address[0] == "127.0.0.1"


def test_tokens_differ_and_are_long(door: Door):
    other = Door(lambda path, parameters: (200, "text/html", "", ""))
    other._server.server_close()
    assert other.base != door.base and len(door.base) >= 24


def test_too_many_parameters_are_refused(door: Door):
    assert asked(door, f"{door.base}/?" + "&".join(f"a{n}=1" for n in range(100)))[0] == 400


def test_nonsense_on_the_line_does_not_end_it(door: Door):
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as line:
        line.sendall(b"\x00\xff nonsense\r\n\r\n")
        line.recv(1000)
    assert asked(door, f"{door.base}/")[0] == 200


def test_a_port_that_is_taken_is_an_error(door: Door):
    with pytest.raises(LeakscanError) as raised:
        Door(lambda path, parameters: (200, "", "", ""), port=door.port)
    assert str(door.port) in raised.value.message


def test_a_capture_is_served(tmp_path: Path):
    session = Session([draw_capture(tmp_path / "leak")], token="token")
    thread = threading.Thread(target=session.serve, daemon=True)
    thread.start()
    try:
        status, body, _ = asked(session.door, "/token/")
        assert (status, "LEAK  20 Output survive" in body) == (200, True)
        assert asked(session.door, "/token/style.css")[2]["Content-Type"].startswith("text/css")
        assert asked(session.door, "/token")[2]["Location"] == "/token/"
    finally:
        session.door.close()
        thread.join(timeout=10)


def served(sources: list[Path], addresses: list[str]) -> list[tuple[int, str]]:
    """(status, text) of each address below the token."""
    session = Session(sources, token="token")
    thread = threading.Thread(target=session.serve, daemon=True)
    thread.start()
    try:
        return [asked(session.door, f"/token{address}")[:2] for address in addresses]
    finally:
        session.door.close()
        thread.join(timeout=10)


def test_modes_stand_side_by_side_and_each_has_its_own_pages(tmp_path: Path):
    folder = draw_modes(tmp_path / "modes", {"consume": leaking(), "cancel": CLEAN, "error": None})
    first, leak, growth, clean, beyond, failed = served(
        [folder], ["/", "/in/0/leak/0-0", "/in/0/growth", "/in/1/", "/in/9/", "/in/2/"]
    )
    assert first[0] == 200 and all(name in first[1] for name in ("consume", "cancel", "LEAK  20 Output"))
    assert leak[0] == 200 and 'href="/token/in/0/object/' in leak[1] and "Modes" in leak[1]
    assert growth[0] == 200 and 'href="/token/in/0/growth?under=' in growth[1]
    assert "NO LEAK" in clean[1] and beyond[0] == 303
    assert failed[0] == 200 and "Nothing is said of leaks" in failed[1]


def test_every_snapshot_of_a_series_can_be_looked_at(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    first, listed, before = served([folder], ["/", "/snapshots", "/in/1/types"])
    assert "LEAK  20 Output" in first[1] and 'href="/token/snapshots"' in first[1]
    assert "before the runs" in listed[1] and 'href="/token/in/1/"' in listed[1]
    assert before[0] == 200 and "app.Workflow" in before[1] and "app.Output" not in before[1]
