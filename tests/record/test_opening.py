"""Targets that open something once, and what is said of a name that is no scenario."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from leakscan.errors import CaptureError
from leakscan.record.failures import described
from leakscan.record.misnamed import no_scenario, notebook
from leakscan.record.opening import may_give_a_callable, object_of_method
from leakscan.record.parameters import checked_call
from leakscan.record.scenario import Scenario
from leakscan.record.surroundings import Surroundings
from leakscan.record.target import Target, load_target

CLOSED = []


def opens() -> Iterator[object]:
    def once() -> str:
        return "a run"

    yield once
    CLOSED.append("opens")


async def opens_late(name: str = "a run") -> AsyncIterator[object]:
    yield functools.partial(str, name)
    CLOSED.append("opens_late")


def one_chunk() -> Iterator[str]:
    chunk = "chunk"
    yield chunk


def chunks() -> Iterator[str]:
    for chunk in "abc":
        yield chunk.upper()


class Worker:
    def step(self) -> str:
        return "a step"

    @classmethod
    def made(cls) -> None: ...

    @staticmethod
    def keep(context: dict[str, object]) -> None:
        context["kept"] = 1


class Handler:
    def __init__(self, queue: object) -> None: ...

    def step(self) -> None: ...


@pytest.mark.parametrize("call", [opens, opens_late])
def test_a_generator_that_yields_a_function_opens_it_once(call):
    scenario = Scenario(call, mode="consume", chunks=3, owns_main=False)
    surroundings = Surroundings(scenario)
    CLOSED.clear()
    run = surroundings.enter(Target("a.py:call", call))
    assert (run(), run(), CLOSED) == ("a run", "a run", [])
    surroundings.leave()
    scenario.close()
    assert (*CLOSED,) == (call.__name__,)


def test_a_stream_of_one_chunk_stays_a_stream():
    scenario = Scenario(one_chunk, mode="consume", chunks=3, owns_main=False)
    run = Surroundings(scenario).enter(Target("a.py:one_chunk", one_chunk))
    assert list(run()) == ["chunk"]


def test_what_the_runs_share_as_an_argument_has_a_path_to_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    scenario = Scenario(Worker.keep, mode="consume", chunks=3, owns_main=True)
    context: dict[str, object] = {}
    Surroundings(scenario).enter(Target("a.py:keep", Worker.keep, arguments={"context": context}))()
    assert sys.modules["__main__"].arguments["context"] is context


def test_only_one_yield_outside_of_loops_may_give_a_function():
    assert not may_give_a_callable(chunks, {})
    assert may_give_a_callable(opens_late, {"name": "x"})
    assert not may_give_a_callable(opens_late, {"nam": "x"})


def test_a_method_gets_an_object_of_its_class():
    assert object_of_method("a.py:Worker.step", Worker, "step") is Worker
    assert checked_call("a.py:Worker.step", Worker.step, Worker(), {})() == "a step"
    assert object_of_method("a.py:Worker.made", Worker, "made") is None
    with pytest.raises(CaptureError, match="no Handler can be made without queue") as error:
        object_of_method("a.py:Handler.step", Handler, "step")
    assert "return a Handler" in error.value.hint


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("shop.py", "name a function of it: shop.py:pay, shop.py:ship; with --on-call"),
        ("shop", "name a function of it: shop:pay"),
        ("test_shop.py", "name a test of it: test_shop.py::test_pay"),
        ("tool", "-- python -m tool"),
        ("app.pyz", "-- python app.pyz"),
        ("pytest", "it runs as a command: -- pytest"),
        ("nothing", "write package.module:callable"),
    ],
)
def test_a_target_without_a_callable_is_told_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, hint: str
):
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text("def pay(): ...\nasync def ship(): ...\ndef _own(): ...\n")
    Path("test_shop.py").write_text("def test_pay(store): ...\n")
    Path("app.pyz").write_bytes(b"PK\x03\x04\x00")
    Path("tool").mkdir()
    Path("tool", "__main__.py").write_text("print()\n")
    assert hint in no_scenario(target).hint


def test_a_notebook_is_told_that_it_is_none():
    assert notebook("app.py:once") is None
    for target in ("nb.ipynb", "nb.ipynb:once"):
        error = notebook(target)
        assert error is not None
        assert "nbconvert --to script nb.ipynb" in error.hint


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (TypeError("send() missing 1 required positional argument: 'to'"), "--arg to=VALUE"),
        (TypeError("send() missing 2 required keyword-only arguments: 'to' and 'at'"), "--arg to=VALUE"),
        (SystemExit(2), "NAME.callback"),
        (RuntimeError("Task got bad yield: <trio>"), "trio.run(work)"),
        (RuntimeError("no disk"), ""),
    ],
)
def test_a_failure_of_what_is_no_scenario_says_what_to_write(error: BaseException, hint: str):
    said = described(error)["hint"]
    assert (hint in said, bool(hint)) == (True, bool(said))


def test_an_imported_setup_is_named_where_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    Path("rooms_open.py").write_text("def setup(): ...\n")
    Path("rooms_once.py").write_text("from rooms_open import setup\ndef once(room): ...\n")
    with pytest.raises(CaptureError, match="without room") as error:
        load_target({"target": "rooms_once.py:once", "setup": "", "arguments": {}})
    assert error.value.hint.startswith("--setup rooms_open:setup")


@pytest.mark.parametrize(
    ("name", "missing", "said"),
    [
        ("test_a.py:test_it", "store", "test_a.py::test_it"),
        ("a.py:Worker.step", "self", "let setup() return one"),
    ],
)
def test_what_only_others_can_give_is_not_asked_of_arg(name: str, missing: str, said: str):
    call = eval(f"lambda {missing}: None")
    with pytest.raises(CaptureError) as error:
        checked_call(name, call, None, {})
    assert said in error.value.hint
