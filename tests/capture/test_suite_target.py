"""Tests of pytest as target, without the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from leakscan.errors import CaptureError
from verdicts import first_leak

SUITE = """
import pytest

class Session:
    pass

KEPT = []

@pytest.fixture(scope="module")
def server():
    return []

@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE", str(tmp_path))
    return []

def test_leaks():
    KEPT.append(Session())

def test_is_fine(store, caplog, capsys):
    store.append(Session())
    print("hello")
    assert "hello" in capsys.readouterr().out

class TestServer:
    def test_leaks_into_a_fixture(self, server):
        server.append(Session())

    def test_is_fine(self, server):
        assert isinstance(server, list)

def test_fails():
    assert [1] == [2]

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass
"""

RUNS = 5


@pytest.fixture
def leak_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "test_service.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings =\n  error\n  ignore::DeprecationWarning\n"
    )
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> tuple[int, str] | None:
        settings = Settings(runs=RUNS, warmup=2)
        found = capture(f"test_service.py{name}", output=tmp_path / "leak", settings=settings)
        return first_leak(analysed_capture(found))

    return run


@pytest.mark.parametrize("name", ["::test_leaks", "::TestServer::test_leaks_into_a_fixture", "::TestServer"])
def test_what_a_test_leaves_is_found(leak_of, name: str) -> None:
    assert leak_of(name) == (RUNS, "Session")


@pytest.mark.parametrize("name", ["::test_is_fine", "::TestServer::test_is_fine"])
def test_a_test_that_lets_go_is_silent(leak_of, name: str) -> None:
    assert leak_of(name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("::test_fails", r"test_fails fails in its call"),
        ("::test_skipped", "test_skipped is skipped"),
        ("::test_missing", "not found"),
    ],
)
def test_what_cannot_be_measured_is_said(leak_of, name: str, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        leak_of(name)
