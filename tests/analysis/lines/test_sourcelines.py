"""`file:line` is the statement that makes or fills the slot, or there is none."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import leakscan
from heaps import heap
from leakscan.analysis.lines.sourcelines import SourceLines
from leakscan.analysis.results.findings import Leak
from leakscan.heap.graph import Location
from leakscan.heap.kinds import NO_OBJECT
from leakscan.heap.source_files import SourceFiles, SourceText
from line_programs import PROGRAMS

RUNS = 6
HERE = "# HERE"


def files_of(name: str) -> dict[str, str]:
    """The program's files by name; the first has its `Thing`, a type that no other program has."""
    first, *others = textwrap.dedent(PROGRAMS[name]).strip().split("\n#### ")
    files = {f"{name}.py": f'{first}\n\n\nThing = type("Thing_{name}", (), {{}})\n'}
    for text in others:
        file, _, rest = text.partition("\n")
        files[file] = rest
    return files


def marked(name: str) -> tuple[str, int] | None:
    """(file, line) of the mark."""
    for file, text in files_of(name).items():
        for number, line in enumerate(text.splitlines(), 1):
            if line.endswith(HERE):
                return file, number
    return None


@pytest.fixture(scope="module")
def leaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Leak]:
    """All programs captured in one process: each one's leak by its name."""
    folder = tmp_path_factory.mktemp("programs")
    for name in PROGRAMS:
        for file, text in files_of(name).items():
            encoding = "latin-1" if "coding: latin-1" in text else "utf-8"
            (folder / file).write_text(text, encoding=encoding)
    calls = "\n".join(f"    {name}.run()" for name in PROGRAMS)
    imports = "\n".join(f"import {name}" for name in PROGRAMS)
    (folder / "everything.py").write_text(f"{imports}\n\n\ndef run():\n{calls}\n")
    command = [sys.executable, "-m", "leakscan", "capture", "everything.py:run", "--runs", str(RUNS)]
    subprocess.run([*command, "-o", "capture"], cwd=folder, check=True, capture_output=True, timeout=300)
    findings = leakscan.diff(folder / "capture").findings
    found = {}
    for leak in (*findings.leaks, *findings.others):
        found.setdefault(leak.type_name.rpartition(".Thing_")[2], leak)
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_line_is_the_one_that_makes_the_slot_or_there_is_none(leaks: dict[str, Leak], name: str):
    holder = leaks[name].holder
    assert holder is not None
    assert ((holder.file, holder.line) if holder.file else None) == marked(name)


DRAWN = """
    module app -> app; app -[.__dict__]-> names; names -['CACHE']-> cache; names -['fill']-> fill
    cache -[1]-> thing; fill -[slot __code__]-> code
    app: module name=app at=app.py:1; names: dict; cache: dict; fill: function name=fill
    code: code name=fill at=app.py:4; thing: app.Thing
"""
TEXT = "import x\nCACHE = {}\n\ndef fill():\n    pass\n"


def line_in(text: str, *, written: float = 1.0, root: str = "8:2", taken: float = 2.0) -> Location | None:
    """The line found for the drawn slot when `text` is what is in its file now."""
    graph = heap(DRAWN, meta={"time_unix": taken, "root": "8:2"})
    parents = np.full(graph.object_count, NO_OBJECT, np.uint32)
    for ref in range(graph.reference_count):
        parents[graph.ref_targets[ref]] = ref
    lines = SourceLines(graph, parents, lambda file: SourceText(text, written, root))
    return lines.line_of(int(parents[graph["thing"]]))


def test_the_text_that_ran_gives_its_line():
    assert line_in(TEXT) == Location("app.py", 2)


def test_a_file_written_after_the_snapshot_gives_none():
    assert line_in(TEXT, written=3.0) is None


def test_a_file_of_another_file_system_gives_none():
    assert line_in(TEXT, root="9:2") is None


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("import x\n", "import x\nimport y\n"),
        TEXT.replace("fill", "other"),
        "CACHE = {}\n",
        "def (",
        "\0",
        "CACHE = " + "(" * 5000,
    ],
    ids=["moved", "renamed", "without the function", "no Python", "a null byte", "too deep"],
)
def test_a_text_without_the_functions_that_ran_gives_none(text: str):
    assert line_in(text) is None


def test_without_source_there_is_no_line():
    graph = heap(DRAWN)
    parents = np.zeros(graph.object_count, np.uint32)
    assert SourceLines(graph, parents).line_of(0) is None


class TestSourceFiles:
    def test_only_regular_files_are_read(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pipe.py")
        assert SourceFiles()(str(tmp_path / "pipe.py")) is None
        assert SourceFiles()(str(tmp_path)) is None

    @pytest.mark.parametrize("name", ["", "<string>", "nowhere.py", "a\0b"])
    def test_names_that_are_no_files_are_none(self, name: str, tmp_path: Path):
        assert SourceFiles(tmp_path)(name) is None

    def test_relative_names_need_the_folder(self, tmp_path: Path):
        (tmp_path / "a.py").write_text("x = 1\n")
        assert SourceFiles()("a.py") is None
        found = SourceFiles(tmp_path)("a.py")
        assert found is not None and found.text == "x = 1\n"

    def test_a_huge_file_is_left_alone(self, tmp_path: Path):
        (tmp_path / "a.py").write_text("x = 1\n" * 400_000)
        assert SourceFiles(tmp_path)("a.py") is None

    def test_text_that_is_not_in_its_encoding_is_none(self, tmp_path: Path):
        (tmp_path / "a.py").write_bytes(b"# caf\xe9\nx = 1\n")
        assert SourceFiles(tmp_path)("a.py") is None


LIBRARY = """
import queue, threading, logging, asyncio, collections, weakref

class Work:
    def __init__(self):
        self.jobs = queue.LifoQueue()
        self.later = asyncio.Queue()
        self.by_id = weakref.WeakValueDictionary()
        self.kept = collections.UserDict()

work, strong = Work(), []

class A: pass
class B: pass
class C: pass
class D: pass
class H(logging.Handler): pass

def run():
    work.jobs.put(A())
    work.later.put_nowait(B())
    work.kept[len(work.kept)] = C()
    strong.append(D())
    work.by_id[len(strong)] = strong[-1]
    logging.getLogger("line.test").addHandler(H())
"""


def test_containers_inside_objects_of_the_standard_library_point_to_where_the_program_makes_them(
    tmp_path: Path,
):
    (tmp_path / "lib_work.py").write_text(LIBRARY)
    command = [sys.executable, "-m", "leakscan", "capture", "lib_work.py:run", "--runs", str(RUNS), "-o", "c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    found = {
        leak.type_name.rpartition(".")[2]: (leak.holder.file.rpartition("/")[2], leak.holder.line)
        for leak in leakscan.diff(tmp_path / "c").findings.leaks
        if leak.holder is not None
    }
    assert found["A"] == ("lib_work.py", 6)
    assert found["B"] == ("lib_work.py", 7)
    assert found["C"] == ("lib_work.py", 9)
    assert found["D"] == ("lib_work.py", 11)
    # A handler lies in the list that the library's own class makes.
    text = Path(logging.__file__).read_text().splitlines()
    assert found["H"][0] == "__init__.py" and "self.handlers = []" in text[found["H"][1] - 1]
