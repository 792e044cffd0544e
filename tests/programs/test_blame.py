"""Which line wrote the reference: `--blame` watches the holders while the scenario runs on."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan.answers.analyse import analysed_one
from leakscan.answers.decide import decision
from leakscan.capture import Settings, capture
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "fixtures" / "writers" / "__init__.py").read_text().splitlines()
LINES = {
    "ByKey": "# by key",
    "ByUpdate": "# by update",
    "InList": "# in a list",
    "InSet": "# in a set",
    "InDeque": "# in a deque",
}


def newer(first: int = 12) -> list[object]:
    """Every CPython from 3.`first` on that is at hand."""
    found = {version: shutil.which(f"python3.{version}") for version in range(first, 16)}
    usable = {
        version: path
        for version, path in found.items()
        if path and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode
    }
    if sys.version_info.minor >= first:
        usable[sys.version_info.minor] = sys.executable
    return [pytest.param(path, id=f"3.{version}") for version, path in usable.items()]


def blamed(target: str, folder: Path, python: str):
    decide = decision(most_runs=10, is_proof_wanted=False, is_blame_wanted=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "fixtures"))
        capture(
            f"writers:{target}",
            output=folder,
            python=python,
            settings=Settings(runs=10, warmup=1),
            decide=decide,
        )
    return analysed_one([folder])


@pytest.mark.parametrize("python", newer())
def test_each_container_tells_the_line_that_fills_it(tmp_path, python):
    found = blamed("visit", tmp_path / "leak", python)
    leaks = {leak.type_name.rpartition(".")[2]: leak for leak in found.leaks}
    assert set(leaks) == set(LINES)
    for name, leak in leaks.items():
        (writer,) = leak.written_by
        assert SOURCE[writer.line - 1].endswith(LINES[name])
        assert (writer.function, writer.count, writer.of) == ("Registry.enter", 10, 10)
        assert writer.file.endswith("writers/__init__.py")
    screen = plain(findings_text(found, TextOptions()))
    assert "written by" in screen and "Registry.enter  (10 of 10)" in screen


@pytest.mark.parametrize("python", newer()[:1])
def test_the_fixed_twin_has_nothing_to_blame(tmp_path, python):
    found = blamed("visit_fixed", tmp_path / "leak", python)
    assert found.leaks == () and not any("who wrote" in warning for warning in found.warnings)


OLD = """
import asyncio, sys
sys.path.insert(0, {package!r})
from leakscan.record.writers import blame
kept, listed, numbers = {{}}, [None] * 50, iter(range(50))
class Owner: __slots__ = ("last",)
class Layered: pass
owner, layered, loop = Owner(), Layered(), asyncio.new_event_loop()
owner.last, closing = None, loop.create_future()
closing.add_done_callback(print)
def run():
    number = next(numbers)
    kept[number] = object()
    listed[number] = object()
    owner.last = (owner.last, number)
    kept[-1] = 0
    del kept[-1]
    layered.__class__ = type("Layer", (type(layered),), {{}})
    closing.add_done_callback(object)
one_by_one = [(2, id(owner), "last"), (3, id(layered), "__class__"), (4, id(closing), "_callbacks")]
seen = blame([(0, id(kept), None), (1, id(listed), None), *one_by_one], run, runs=10)
assert seen["failed"] == "", seen
first = run.__code__.co_firstlineno
assert sys.gettrace() is None
print([(slot, line - first) for slot, _, line, *_ in seen["written"]])
"""


@pytest.mark.parametrize("python", newer(11))
def test_items_that_are_replaced_and_slots_tell_their_line_on_every_version(python):
    program = OLD.format(package=str(ROOT / "analyzer"))
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert eval(done.stdout) == [(0, 2), (1, 3), (2, 4), (3, 7), (4, 8)]


OTHERS = """
import array, contextvars, io, queue, sys, threading
sys.path.insert(0, {package!r})
from leakscan.record.writers import blame
trail, context = contextvars.ContextVar("trail", default=()), contextvars.copy_context()
other = contextvars.ContextVar("other")
words = io.StringIO()
body, numbers, file, later = bytearray(), array.array("q"), io.BytesIO(), []
asked, told = queue.SimpleQueue(), queue.SimpleQueue()
def run():
    context.run(other.set, 1)
    context.run(enter)
    body.extend(b"x" * 100)
    del body[:10]
    numbers.append(1)
    file.write(b"x" * 5000)
    words.write("words")
    words.seek(0)
    words.read()
    asked.put(1)
    told.get()
def enter():
    trail.set((*trail.get(), object()))
    other.set(object())
def work():
    while True:
        asked.get()
        later.append(object())
        told.put(1)
threading.Thread(target=work, daemon=True).start()
holders = [id(context), id(body), id(numbers), id(file), id(later), id(words)]
labels = ["trail", None, None, None, None, None]
seen = blame(list(zip(range(6), holders, labels)), run, runs=20)
assert seen["failed"] == "", seen
lines = open(__file__).read().splitlines()
print(sorted({{(slot, lines[line - 1].strip()) for slot, _, line, *_ in seen["written"]}}))
"""


def lines_of_others(python: object, folder: Path) -> list[tuple[int, str]]:
    program = folder / "others.py"
    program.write_text(OTHERS.format(package=str(ROOT / "analyzer")))
    done = subprocess.run([python, program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return eval(done.stdout)


OWN_LINES = [
    (0, "trail.set((*trail.get(), object()))"),
    (1, 'body.extend(b"x" * 100)'),
    (2, "numbers.append(1)"),
    (3, 'file.write(b"x" * 5000)'),
]

LAST_LINE = (5, 'words.write("words")')


@pytest.mark.parametrize("python", newer())
def test_contexts_what_swells_and_a_thread_that_runs_already_tell_their_line(python, tmp_path):
    assert lines_of_others(python, tmp_path) == [*OWN_LINES, (4, "later.append(object())"), LAST_LINE]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="threads that ran before are seen from 3.12 on")
def test_what_a_thread_stores_that_is_not_seen_is_nobodys_and_not_the_line_that_waits_for_it(tmp_path):
    assert lines_of_others(sys.executable, tmp_path) == [*OWN_LINES, LAST_LINE]


PROGRAM = """
import gc, sys, threading
sys.path.insert(0, {package!r})
from leakscan.record.writers import blame
kept, listed = {{}}, []
numbers = iter(range(1000))
def run():
    number = next(numbers)
    kept[number] = object()
    listed.append(object())
    asked.release()
    if number == 3: raise ValueError(number)
asked, ended, traces = threading.Semaphore(0), [], []
def work():
    while not ended:
        asked.acquire()
        traces.append(sys.gettrace())
other = threading.Thread(target=work, daemon=True)
other.start()
def state():
    hooks = [sys.gettrace(), sys.getprofile(), threading._trace_hook, threading._profile_hook]
    collector = [gc.isenabled(), gc.get_threshold(), list(gc.callbacks)]
    return [*hooks, *collector, threading.Thread.start, sys.get_asyncgen_hooks(), sys.meta_path[:]]
before = state()
try:
    blame([(0, id(kept), None), (1, id(listed), None)], run, runs=9)
except ValueError:
    pass
assert state() == before
seen = blame([(0, id(kept), None), (1, id(listed), None)], run, runs=2)
assert [row[4] for row in seen["written"]] == [2, 2], seen
assert state() == before
ended.append(True)
asked.release()
other.join()
assert traces[-1] is None
if sys.version_info < (3, 12):
    sys.exit(print([0, 1, 0]))
monitoring = sys.monitoring
for tool in range(6):
    assert monitoring.get_tool(tool) is None
    monitoring.use_tool_id(tool, "a probe")
    assert monitoring.get_events(tool) == 0
    assert [monitoring.get_local_events(tool, each.__code__) for each in (run, work)] == [0, 0]
    assert monitoring.register_callback(tool, monitoring.events.LINE, None) is None
    assert monitoring.register_callback(tool, monitoring.events.CALL, None) is None
    monitoring.free_tool_id(tool)
from ctypes import PYFUNCTYPE, c_int, c_void_p, pythonapi
signature = PYFUNCTYPE(c_int, c_int, c_void_p, c_void_p, c_void_p)
pythonapi.PyDict_AddWatcher.argtypes = [signature]
told = []
callback = signature(lambda *_: told.append(1) or 0)
places = [pythonapi.PyDict_AddWatcher(callback) for _ in range(2)]
kept["later"] = 1  # a dict that were still watched would tell the next one who takes the place
print([*places, len(told)])
"""


@pytest.mark.parametrize("python", newer(11))
def test_nothing_is_left_behind_also_after_a_run_that_fails(python):
    program = PROGRAM.format(package=str(ROOT / "analyzer"))
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    # The first two places for watchers that CPython's own JIT leaves free are free again.
    assert (done.returncode, done.stderr) == (0, "")
    first, second, told = eval(done.stdout)
    assert (second, told) == (first + 1, 0)
    gc.collect()
