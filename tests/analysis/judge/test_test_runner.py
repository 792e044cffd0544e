"""What a test runner keeps for itself is noise; what it only holds for the tests is not."""

from __future__ import annotations

import pytest

from leakscan.analysis.judge.noise import noise_rule
from leakscan.analysis.results.findings import Path, Step

FRAME = Step("running frame", "thread", "<frame>", file="/venv/site-packages/_pytest/python.py")
PROGRAM = Step("local `cache`", "local", "dict")


def is_noise(*steps: Step) -> bool:
    path = Path("thread 'MainThread'", "thread", steps)
    rule = noise_rule(path, lambda name: name.startswith("app."))
    assert rule is None or (rule.reason, rule.is_bounded) == ("the test runner", True)
    return rule is not None


@pytest.mark.parametrize(
    "file",
    [
        "/venv/site-packages/_pytest/python.py",
        "/venv/site-packages/pluggy/_callers.py",
        "/usr/lib/python3.11/unittest/case.py",
        "C:\\venv\\hypothesis\\core.py",
        "/venv/site-packages/pytest_timeout.py",
        "/venv/site-packages/pytest_asyncio/plugin.py",
    ],
)
def test_what_a_frame_of_the_runner_holds_is_noise(file: str):
    assert is_noise(Step("running frame", "thread", "<frame>", file=file), PROGRAM)


@pytest.mark.parametrize("file", ["", "/srv/app/pytest.py", "/srv/tests/test_pytest_plugin.py"])
def test_what_another_frame_holds_is_not(file: str):
    assert not is_noise(Step("running frame", "thread", "<frame>", file=file), PROGRAM)


def test_what_an_object_of_the_runner_holds_is_noise():
    item = Step("local `item`", "local", "_pytest.python.Function")
    assert is_noise(Step("running frame", "thread", "<frame>", file="/srv/app/main.py"), item)


@pytest.mark.parametrize(
    "attribute", [".cached_result", ".funcargs", "._instance", ".obj", "._obj", ".params"]
)
def test_what_the_runner_holds_for_a_test_is_not(attribute: str):
    item = Step("local `item`", "local", "_pytest.python.Function")
    assert not is_noise(FRAME, item, Step(attribute, "attribute", "dict"))
    assert is_noise(FRAME, item, Step(".keywords", "attribute", "dict"))


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async_generator"])
def test_what_a_suspended_fixture_holds_is_not(kind: str):
    fixture = Step("local `gen`", "local", kind, file="/srv/tests/conftest.py")
    own = Step("local `gen`", "local", kind, file="/venv/site-packages/_pytest/fixtures.py")
    assert not is_noise(FRAME, fixture, PROGRAM)
    assert is_noise(FRAME, own, PROGRAM)


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async_generator"])
def test_a_suspended_call_of_the_runner_keeps_for_itself_what_it_holds(kind: str):
    outer = Step("running frame", "thread", "<frame>", file="/srv/app/main.py")
    own = Step("local `gen`", "local", kind, file="/venv/site-packages/_pytest/fixtures.py")
    assert is_noise(outer, own, PROGRAM)


def test_an_object_of_the_application_is_its_own():
    assert not is_noise(FRAME, Step("local `client`", "local", "app.Client"), PROGRAM)


def test_new_objects_of_the_application_do_not_make_the_place_the_tests():
    assert is_noise(FRAME, Step("local `client`", "local", "app.Client", is_new=True))
