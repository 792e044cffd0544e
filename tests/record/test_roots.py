"""Each reason the interpreter itself has for keeping an object has a name."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import leakscan
from leakscan.heap.kinds import RootKind
from walks import Walked

PROGRAM = """
    import asyncio, atexit, codecs, contextvars, gc, json, os, signal, sys, threading, warnings
    import leakscan

    class Kept:
        def __init__(self, name):
            self.name = name
        def __call__(self, *arguments, **options):
            return None

    kept = {}

    def keep(name):
        kept[name] = id(made := Kept(name))
        return made

    def run():
        atexit.register(keep("atexit"))
        os.register_at_fork(before=keep("before fork"), after_in_parent=keep("after fork"))
        codecs.register(keep("codec"))
        codecs.register_error("leakscan-test", keep("codec error"))
        gc.callbacks.append(keep("gc callback"))
        signal.signal(signal.SIGUSR1, keep("signal"))
        variable = contextvars.ContextVar("request")
        variable.set(keep("context"))
        warnings.filters.append(keep("warnings filter"))
        if hasattr(sys, "monitoring"):
            sys.monitoring.use_tool_id(3, "leakscan-test")
            sys.monitoring.register_callback(3, sys.monitoring.events.LINE, keep("monitoring"))
        sys.set_asyncgen_hooks(finalizer=keep("async gen hook"))
        sys.setprofile(keep("profile"))
        module = type(sys)("made.module")
        module.content = keep("module")
        sys.modules["made.module"] = module

    started = threading.Event()
    done = threading.Event()

    def in_a_thread(argument):
        local = keep("thread local variable")
        started.set()
        done.wait()

    thread = threading.Thread(target=in_a_thread, args=(1,), name="worker 7")
    run()
    thread.start()
    started.wait()
    leakscan.snapshot("now.heap")
    sys.setprofile(None)
    done.set()
    json.dump(kept, open("kept.json", "w"))
"""


class Program:
    """The heap of PROGRAM, and the addresses of what it kept by name."""

    def __init__(self, folder: Path) -> None:
        self.here = Walked(leakscan.load(folder / "now.heap"))
        self.kept: dict[str, int] = json.loads((folder / "kept.json").read_text())
        heap = self.here.heap
        self.parents: dict[int, set[int]] = {}
        containers = ("list", "tuple", "dict", "Context", "hamt", "<frame>")
        for source in range(heap.object_count):
            if heap.type_name(source).rpartition(".")[2].startswith(containers):
                for ref in heap.references(source):
                    self.parents.setdefault(int(heap.ref_targets[ref]), set()).add(source)
        self.rooted: dict[int, set[str]] = {}
        for root in range(len(heap.roots)):
            self.rooted.setdefault(int(heap.roots.targets[root]), set()).add(heap.root_label(root))

    def roots_above(self, name: str) -> set[str]:
        """Labels of the roots from which the object can be reached through containers alone."""
        labels: set[str] = set()
        todo, done = [self.here.row_at(self.kept[name])], set[int]()
        while todo:
            row = todo.pop()
            if row not in done and len(done) < 200:
                done.add(row)
                labels |= self.rooted.get(row, set())
                todo += self.parents.get(row, set())
        return labels

    def roots(self, kind: RootKind) -> set[str]:
        heap = self.here.heap
        return {heap.root_label(root) for root in range(len(heap.roots)) if heap.root_kind(root) is kind}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("roots")
    (folder / "program.py").write_text(textwrap.dedent(PROGRAM))
    subprocess.run([sys.executable, "-W", "ignore", "program.py"], cwd=folder, check=True)
    return Program(folder)


EXPECTED = [
    ("atexit", "atexit callbacks"),
    ("before fork", "at-fork callbacks (before)"),
    ("after fork", "at-fork callbacks (in the parent)"),
    ("codec", "codec search functions"),
    ("codec error", "codec error handlers"),
    ("gc callback", "gc.callbacks"),
    ("context", "context of the thread"),
    ("async gen hook", "async generator hooks"),
    ("thread local variable", "thread 'worker 7'"),
]


@pytest.mark.parametrize(("name", "label"), EXPECTED)
def test_the_interpreters_own_reference_has_a_name(name: str, label: str, program: Program) -> None:
    assert label in program.roots_above(name)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_a_monitoring_callback_has_a_name(program: Program) -> None:
    assert "sys.monitoring callbacks" in program.roots_above("monitoring")


def test_a_signal_handler_is_held_by_the_signal_table(program: Program) -> None:
    assert "signal handler SIGUSR1" in program.roots_above("signal")


def test_a_profile_function_has_a_name(program: Program) -> None:
    assert "profile function" in program.roots_above("profile")


def test_every_module_is_a_root_by_its_name(program: Program) -> None:
    named = {"__main__", "sys", "builtins", "threading", "made.module"}
    assert named <= program.roots(RootKind.MODULE)


def test_each_thread_is_a_root_by_its_name(program: Program) -> None:
    assert program.roots(RootKind.THREAD) == {"thread 'MainThread'", "thread 'worker 7'"}


def test_leakscans_own_modules_are_marked(program: Program) -> None:
    heap = program.here.heap
    own = {heap.root_label(root) for root in range(len(heap.roots)) if int(heap.roots.flags[root]) & 2}
    assert {"leakscan", "leakscan.record.snapshot"} <= own and "threading" not in own
