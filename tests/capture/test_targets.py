"""What a capture can be pointed at: what is set up around the runs, arguments, and errors before the runs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import leakscan
from leakscan.analysis.results.findings import Verdict
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Capture, Settings, capture
from leakscan.capture.scenario.arguments import parse_arguments
from leakscan.errors import CaptureError, LeakscanError, UsageError
from verdicts import INNOCENT


@pytest.fixture
def captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`captured(source, "once", setup=...)` writes source to program.py and captures five runs of it."""
    monkeypatch.chdir(tmp_path)

    def run(source: str, name: str, **settings: object) -> Capture:
        Path("program.py").write_text(textwrap.dedent(source))
        chosen = Settings(runs=5, **settings)  # type: ignore[arg-type]  # the tests name its fields
        return capture(f"program.py:{name}", output=tmp_path / "leak", settings=chosen, overwrite=True)

    return run


def leaks(found: Capture) -> bool:
    """Whether it is a leak; what is neither that nor innocent is an error."""
    verdict = analysed_capture(found).verdict
    assert verdict is Verdict.LEAK or verdict in INNOCENT, verdict
    return verdict is Verdict.LEAK


SERVER = """
import asyncio

class Server:
    def __init__(self):
        self.requests = []

    async def start(self):
        self.task = asyncio.create_task(asyncio.Event().wait())
        return self

    async def ask(self, keep):
        if keep:
            self.requests.append(Request())

    async def stop(self):
        self.task.cancel()
        open("stopped", "w").close()

class Request: pass
KEEP = {keep}
"""
WAYS = {
    "setup and teardown of the module": """
        async def setup():
            global SERVER
            SERVER = await Server().start()

        async def teardown():
            await SERVER.stop()

        async def once():
            await SERVER.ask(KEEP)
        """,
    "setup that returns what a run takes": """
        async def setup():
            global stop
            server = await Server().start()
            stop = server.stop
            return server

        async def teardown():
            await stop()

        async def once(server):
            await server.ask(KEEP)
        """,
    "an async generator as setup": """
        async def setup():
            server = await Server().start()
            yield server
            await server.stop()

        async def once(server):
            await server.ask(KEEP)
        """,
    "an async context manager that yields the callable": """
        import contextlib

        @contextlib.asynccontextmanager
        async def once():
            server = await Server().start()
            yield lambda: server.ask(KEEP)
            await server.stop()
        """,
    "a generator as setup": """
        def setup():
            server = Server()
            yield server
            open("stopped", "w").close()

        async def once(server):
            await server.ask(KEEP)
        """,
    "a context manager as setup": """
        import contextlib

        @contextlib.contextmanager
        def setup():
            server = Server()
            yield server
            open("stopped", "w").close()

        async def once(server):
            await server.ask(KEEP)
        """,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_server_is_started_once_and_its_leak_is_found_and_its_fixed_twin_is_not(captured, way: str):
    for keep in (True, False):
        found = captured(SERVER.format(keep=keep) + textwrap.dedent(WAYS[way]), "once")
        assert (leaks(found), Path("stopped").exists()) == (keep, True)
        Path("stopped").unlink()


def test_what_only_the_setup_holds_has_a_path_to_it(captured):
    found = captured(SERVER.format(keep=True) + textwrap.dedent(WAYS["an async generator as setup"]), "once")
    holder = analysed_capture(found).leaks[0].holder
    assert holder is not None
    assert "requests" in holder.label


def test_another_setup_can_be_named(captured):
    source = """
        kept = []

        def setup():
            raise SystemExit("not this one")

        def store():
            return kept

        def once(store):
            store.append(bytearray(10))
        """
    assert leaks(captured(source, "once", setup="store"))
    assert leaks(captured(source, "once", setup="program:store"))


def test_a_setup_that_is_not_the_modules_own_or_takes_parameters_is_left_alone(captured):
    source = """
        from importlib import invalidate_caches as setup

        def teardown(what):
            raise SystemExit("never called")

        def once():
            pass
        """
    assert not leaks(captured(source, "once"))


def test_a_failing_setup_is_told_as_one(captured):
    with pytest.raises(CaptureError, match=r"raised ValueError in its setup: no database"):
        captured("def setup():\n    raise ValueError('no database')\ndef once(): pass\n", "once")


def test_a_failing_teardown_leaves_the_capture_whole(captured, capfd):
    found = captured("def teardown():\n    raise ValueError('late')\ndef once(): pass\n", "once")
    assert found.status == "complete"
    assert "its teardown raised" in capfd.readouterr().err


def test_a_scenario_is_called_with_arguments(captured):
    source = """
        kept = []

        def once(n, *, kind="list"):
            kept.extend([] if kind == "list" else bytearray(1) for _ in range(n))
        """
    found = analysed_capture(captured(source, "once", arguments=parse_arguments(["n=3", "kind=other"])))
    assert [(leak.count, leak.type_name) for leak in found.leaks] == [(15, "bytearray")]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["n=3", "x=0.5"], {"n": 3, "x": 0.5}),
        (["a=true", 'b=["c"]', "d=null"], {"a": True, "b": ["c"], "d": None}),
        (["name=two words", "empty=", "url=a=b"], {"name": "two words", "empty": "", "url": "a=b"}),
    ],
)
def test_arguments_are_json_or_text(texts: list[str], values: dict[str, object]):
    assert parse_arguments(texts) == values


@pytest.mark.parametrize("texts", [["n"], ["=3"], ["1n=3"], ["n=1", "n=2"]])
def test_what_is_no_argument_is_refused(texts: list[str]):
    with pytest.raises(UsageError):
        parse_arguments(texts)


@pytest.mark.parametrize(
    ("source", "arguments", "message", "hint"),
    [
        ("def once(user, n=1): pass", {}, "once cannot be called without user", "--arg user=VALUE"),
        ("def once(*, user): pass", {}, "once cannot be called without user", "--arg user=VALUE"),
        ("def once(n): pass", {"m": 1}, "program.py:once has no parameter 'm'", "it has n"),
        ("class once:\n    def __init__(self, user): pass", {}, "cannot be called without user", "--arg"),
        (
            "class App:\n    async def __call__(self, scope, receive, send): pass\nonce = App()",
            {},
            "program.py:once is an ASGI application, not a scenario",
            "--request",
        ),
        (
            "def once(environ, start_response): pass",
            {},
            "program.py:once is a WSGI application, not a scenario",
            "--request",
        ),
        (
            "import contextlib\n@contextlib.contextmanager\ndef once():\n    yield 3",
            {},
            "program.py:once is a context manager that gives int, not a callable",
            "--setup",
        ),
    ],
)
def test_what_cannot_be_called_is_said_before_the_runs(
    captured, source: str, arguments: dict[str, object], message: str, hint: str
):
    with pytest.raises(LeakscanError) as error:
        captured(source, "once", arguments=arguments)
    assert message in error.value.message
    assert hint in error.value.hint
    assert "Traceback" not in error.value.message


def test_a_wrapper_or_a_builtin_is_called_as_it_is(captured):
    source = """
        import functools
        def plain(x=1): pass
        @functools.wraps(plain)
        def once(*args, **kwargs): return plain(*args, **kwargs)
        """
    assert not leaks(captured(source, "once"))
    assert not leaks(captured("once = dict", "once"))


def test_packages_in_src_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "orders.py").write_text("ORDERS = []\ndef once():\n    ORDERS.append([])\n")
    (tmp_path / "scenario.py").write_text("from shop.orders import once\n")
    monkeypatch.chdir(tmp_path)
    for target in ("shop.orders:once", "scenario.py:once", "src/shop/orders.py:once"):
        found = capture(target, output=tmp_path / "leak", settings=Settings(runs=5), overwrite=True)
        assert leaks(found)


FORKS = """
import os
kept = []

class Order: pass

def once():
    child = os.fork()
    if child == 0:
        {child}
    os.waitpid(child, 0)
    {parent}
"""


@pytest.mark.parametrize("child", ["return", "raise SystemExit(3)", "raise ValueError('in the child')"])
def test_a_child_of_a_run_never_drives_the_session(captured, child: str):
    found = captured(FORKS.format(child=child, parent="kept.append(Order())"), "once")
    assert (found.status, found.runs_completed, found.children_returned) == ("complete", 5, 8)
    answer = analysed_capture(found)
    assert [(leak.count, leak.rate) for leak in answer.leaks] == [(5, 1)]
    assert any("8 child processes" in warning for warning in answer.warnings)
    fixed = analysed_capture(captured(FORKS.format(child=child, parent=""), "once"))
    assert fixed.verdict in INNOCENT


def test_children_that_the_runs_leave_are_named(captured):
    source = """
        import subprocess
        left = []

        def once():
            left.append(subprocess.Popen(["sleep", "60"]))

        def teardown():
            for each in left:
                each.kill()
                each.wait()
        """
    warnings = analysed_capture(captured(source, "once")).warnings
    assert any("5 sleep" in warning for warning in warnings)


def test_children_of_before_the_runs_are_not_theirs(captured):
    source = """
        import subprocess

        def setup():
            global server
            server = subprocess.Popen(["sleep", "60"])

        def teardown():
            server.kill()
            server.wait()

        def once():
            subprocess.run(["true"])
        """
    assert captured(source, "once").children == ()


def test_a_callable_in_a_test_that_needs_something_is_said_before_it_runs():
    def once(what: object) -> None: ...

    with pytest.raises(CaptureError, match="cannot be called without what"):
        leakscan.assert_no_leaks(once, runs=2)  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize("way", ["def once(): keep(); sys.exit()", "async def once(): keep(); sys.exit(0)"])
def test_a_target_that_exits_without_an_error_has_done_its_run(captured, way: str):
    source = f"import sys\nKEPT = []\nclass Seen: pass\ndef keep(): KEPT.append(Seen())\n{way}\n"
    answer = analysed_capture(captured(source, "once"))
    assert [(leak.count, leak.type_name) for leak in answer.leaks] == [(5, "program.Seen")], answer.headline


def test_a_target_that_exits_with_an_error_is_told(captured):
    with pytest.raises(CaptureError, match="SystemExit in warm-up run 1: 3"):
        captured("import sys\ndef once(): sys.exit(3)\n", "once")
