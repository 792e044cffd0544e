"""What only the caller holds: locals of a test, `self`, fixtures of every scope; in suites of their own.

Each test inside is a measurement of seconds: one of each kind is asked, all of them with LEAKSCAN_FULL=1.
"""

from __future__ import annotations

import pytest

from asked import FULL
from inner_suites import without_plugins

pytest_plugins = ["pytester"]

SERVER = """
import contextvars
import functools
import unittest

import pytest

import leakscan as ls


class Entry:
    def __init__(self):
        self.buffer = bytearray(1000)


class Server:
    # Only a server that is told to keeps what it handled.
    def __init__(self, keeps):
        self.log = []
        self.keeps = keeps

    def handle(self):
        entry = Entry()
        if self.keeps:
            self.log.append(entry)

    async def serve(self):
        self.handle()
"""

IN_THE_CALLER = """
def check(run):
    ls.assert_no_leaks(run, runs=6)


def test_nobody_else_holds_it():
    check(Server(KEEPS).handle)


def test_callable_object():
    class Call:
        def __init__(self):
            self.server = Server(KEEPS)

        def __call__(self):
            self.server.handle()

    check(Call())


def test_lambda_over_a_list():
    kept = []
    check(lambda: kept.append(Entry()) if KEEPS else Entry())


def test_default_argument():
    def run(kept=[]):
        if KEEPS:
            kept.append(Entry())

    check(run)


def test_nested_functions():
    def outer():
        server = Server(KEEPS)

        def middle():
            def run():
                server.handle()

            return run

        inner(middle())

    def inner(run):
        check(run)

    outer()


def test_coroutine_function():
    check(Server(KEEPS).serve)


def test_suspended_generator_keeps_it():
    def collect():
        kept = []
        while True:
            kept.append((yield))

    collector = collect()
    next(collector)
    check(lambda: collector.send(Entry() if KEEPS else None))


def test_context_variable():
    kept = contextvars.ContextVar("kept")
    kept.set([])
    check(lambda: kept.get().append(Entry()) if KEEPS else None)


class TestSelf:
    def setup_method(self):
        self.server = Server(KEEPS)

    def test_self(self):
        check(self.server.handle)


class TestCase(unittest.TestCase):
    def setUp(self):
        self.server = Server(KEEPS)

    def test_unittest_self(self):
        check(self.server.handle)

    @classmethod
    def setUpClass(cls):
        cls.shared = Server(KEEPS)

    def test_unittest_class(self):
        check(self.shared.handle)


@pytest.mark.parametrize("run", [Server(KEEPS).handle])
def test_parameter(run):
    check(run)


@pytest.fixture
def plain():
    return []


@pytest.fixture
def opened():
    server = Server(KEEPS)
    yield server.handle


def test_fixture_that_is_a_list(plain):
    check(lambda: plain.append(Entry()) if KEEPS else None)


def test_fixture_that_is_a_generator(opened):
    check(opened)
"""

BY_THE_MARKER = """
pytestmark = pytest.mark.leakscan(runs=6)


def scope(name):
    @pytest.fixture(scope=name)
    def server():
        return Server(KEEPS)

    return server


session_server, module_server, class_server = scope("session"), scope("module"), scope("class")


@pytest.fixture(scope="module")
def module_list():
    return []


@pytest.fixture(scope="session")
def opened():
    kept = []

    def put(entry):
        if KEEPS:
            kept.append(entry)

    yield put
    kept.clear()


@pytest.fixture(scope="session")
def closing():
    kept = []
    yield lambda entry: kept.append(entry) if KEEPS else None
    del kept


@pytest.fixture(scope="module", params=["one"])
def parametrised():
    return Server(KEEPS)


@pytest.fixture(scope="session", autouse=True)
def on_the_session(request):
    request.session.kept = Server(KEEPS)


def test_session(session_server):
    session_server.handle()


def test_module(module_server):
    module_server.handle()


class TestClass:
    kept = []

    def test_class(self, class_server):
        class_server.handle()


def test_list(module_list):
    if KEEPS:
        module_list.append(Entry())


def test_generator(opened):
    opened(Entry())


def test_generator_of_a_lambda(closing):
    closing(Entry())


def test_parameters_of_a_fixture(parametrised):
    parametrised.handle()


@pytest.mark.parametrize("server", [Server(KEEPS)], ids=["server"])
def test_parameter(server):
    server.handle()


def test_attribute_of_the_session(request):
    request.session.kept.handle()


@pytest.mark.asyncio
async def test_asyncio(session_server):
    session_server.handle()


@pytest.mark.anyio
async def test_anyio(module_server):
    module_server.handle()


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = Server(KEEPS)

    def test_unittest(self):
        self.shared.handle()


class TestLoop(unittest.IsolatedAsyncioTestCase):
    kept = Server(KEEPS)

    async def test_isolated(self):
        self.kept.handle()
"""

CLEAN = (
    BY_THE_MARKER.partition("def test_session")[0]
    + """
def test_marked(
    session_server, module_server, class_server, module_list, opened, closing, parametrised, request
):
    for server in (session_server, module_server, class_server, parametrised, request.session.kept):
        server.handle()
    opened(Entry())
    closing(Entry())


@pytest.mark.asyncio
async def test_asyncio(session_server):
    session_server.handle()


class TestCase(unittest.TestCase):
    def setUp(self):
        self.server = Server(KEEPS)

    @pytest.mark.leakscan(runs=6)
    def test_unittest(self):
        self.server.handle()


def test_fixtures_of_pytest(capsys, caplog, tmp_path, monkeypatch, session_server):
    other = Server(KEEPS)
    ls.assert_no_leaks(lambda: (session_server.handle(), other.handle()), runs=6)
"""
)


@pytest.fixture
def outcomes(pytester):
    """Runs a test file with the plugin in a process of its own; names of tests by outcome."""

    def run(body: str, *, keeps: bool, asked: tuple[str, ...] = ()) -> dict[str, set[str]]:
        pytester.makepyfile(test_suite=SERVER + f"\n\nKEEPS = {keeps}\n\n" + body)
        arguments = [] if FULL else ["-k", " or ".join(asked)] if asked else []
        # What nothing asked for needs would be in each heap that is measured.
        plugins = [name for name in ("asyncio", "anyio") if FULL or f"test_{name}" in (asked or body)]
        result = pytester.runpytest_subprocess("-v", *without_plugins(*plugins), *arguments)
        found: dict[str, set[str]] = {}
        for line in result.outlines:
            if line.startswith("test_suite.py::") and "%]" in line:
                name, outcome = line.split()[:2]
                found.setdefault(outcome, set()).add(name.removeprefix("test_suite.py::"))
        return found

    return run


ONE_OF_EACH = {
    "in the caller": ("test_suspended_generator_keeps_it", "test_context_variable", "test_unittest_class"),
    "by the marker": ("test_generator_of_a_lambda", "test_attribute_of_the_session", "test_asyncio"),
}
"""Frames of functions and generators, contexts, classes, fixtures; scopes, and tests of each runner."""


@pytest.mark.parametrize(
    ("kind", "body"),
    [("in the caller", IN_THE_CALLER), ("by the marker", BY_THE_MARKER)],
    ids=["in the caller", "by the marker"],
)
def test_what_only_the_caller_holds_is_a_leak(outcomes, kind, body):
    found = outcomes(body, keeps=True, asked=ONE_OF_EACH[kind])
    assert set(found) == {"FAILED"}
    assert len(found["FAILED"]) >= len(ONE_OF_EACH[kind])


def test_callers_that_keep_nothing_pass(outcomes):
    found = outcomes(CLEAN, keeps=False)
    assert set(found) == {"PASSED"}
