"""What only open sockets of the runs keep alive waits for an answer: it is undecided."""

from __future__ import annotations

import pytest

from drawn_leaks import each_run
from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Verdict

RUNS = 20
BEFORE = "module app -> m; m: module name=app; root -> idle; idle: object"
RESPONSE = "response#: app.Response size=100 birth=#"


def verdict(grown: str, *, runtime: str = "v8") -> Verdict:
    drawings = (BEFORE, f"{BEFORE}\n{each_run(f'{grown}; {RESPONSE}', RUNS)}")
    return diff(*(heap(text, runtime=runtime, meta={"births": True}) for text in drawings), runs=RUNS).verdict


def held_by(kind: str, *, root: str = "root") -> str:
    name = kind.lower()
    return f"{root} -> {name}#; {name}#: {kind} birth=#; {name}# -[.owner]-> response#"


@pytest.mark.parametrize("socket", ["TCP", "Pipe", "TLSWrap", "Http2Session"])
def test_what_only_an_open_socket_of_node_keeps_alive_is_undecided(socket: str):
    assert verdict(held_by(socket)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "request_type",
    ["HTTPParser", "TCPConnectWrap", "PipeConnectWrap", "WriteWrap", "ShutdownWrap", "QueryReqWrap"],
)
def test_what_is_asked_of_an_open_socket_waits_with_it(request_type: str):
    assert verdict(f"{held_by('TCP')}; {held_by(request_type)}") is Verdict.INCONCLUSIVE


def test_what_something_else_holds_as_well_does_not_wait():
    assert verdict(f"{held_by('TCP')}; {held_by('Registration')}") is Verdict.LEAK


@pytest.mark.parametrize("server", ["Node / TCPServerWrap", "Node / PipeServerWrap"])
def test_a_server_that_goes_on_listening_is_no_wait(server: str):
    assert verdict(held_by("TCP", root=f"interpreter {server}")) is Verdict.LEAK


def test_a_socket_without_another_end_is_no_wait():
    assert verdict(held_by("UDP")) is Verdict.LEAK


def test_a_request_without_a_socket_is_no_wait():
    assert verdict(held_by("WriteWrap")) is Verdict.LEAK


def test_a_class_of_python_that_is_called_like_a_socket_of_node_is_none():
    assert verdict(held_by("TCP"), runtime="cpython") is Verdict.LEAK
