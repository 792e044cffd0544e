"""Headless Chromium: detached elements of a page, and CPython heaps in the engine of its DevTools."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan.analysis.one_snapshot import paths_to_type
from leakscan.heap.export_v8 import export_v8
from leakscan.heap.reader import load

ROOT = Path(__file__).resolve().parents[2]
NODE = ["node", "--experimental-websocket"]


def reason_to_skip():
    for program in ("node", "chromium"):
        if not shutil.which(program):
            return f"{program} is not installed"
    asked = subprocess.run([*NODE, "-e", ""], capture_output=True, check=False)
    return "this Node has no WebSocket" if asked.returncode else ""


REASON = reason_to_skip()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "-")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.heapsnapshot"
    page = ROOT / "tests" / "known_v8" / "detached.html"
    subprocess.run([*NODE, ROOT / "tools" / "chromium_snapshot.mjs", page, path], check=True, timeout=120)
    return load(path)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("<section>", ["views: Map", ".get('panel'): View", ".element: Detached <section>"]),
        ("<article>", ["onDone: Function", "closure `article`: Detached <article>"]),
        ("<aside>", ["removedOnes: Array", "[*]: Detached <aside>"]),
    ],
)
def test_what_keeps_a_removed_element_is_named(page, element, expected):
    (group,) = paths_to_type(page, f"Detached {element}").groups
    path = group.paths[0]
    assert (path.root, [f"{s.reference}: {s.type_name}" for s in path.steps]) == ("globalThis", expected)


def test_an_element_on_the_page_is_not_detached(page):
    types = {page.type_name(obj) for obj in range(page.object_count)}
    assert "<nav>" in types and "Detached <nav>" not in types


def test_devtools_reads_an_exported_cpython_heap_with_equal_totals(tmp_path):
    code = "import sys, leakscan; leakscan.snapshot(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path / "own.heap"], check=True)
    graph = load(tmp_path / "own.heap")
    exported = tmp_path / "own.heapsnapshot"
    export_v8(graph, exported)
    script = ROOT / "tools" / "devtools_sizes.mjs"
    done = subprocess.run([*NODE, script, exported], check=True, capture_output=True, timeout=120)
    rows = json.loads(done.stdout)
    again = load(exported)
    assert {node: size for node, size, _ in rows} == dict(
        zip(again.addresses.tolist(), again.sizes.tolist(), strict=True)
    )
    total = int(graph.sizes.sum(dtype="u8"))
    assert (sum(size for _, size, _ in rows), max(kept for _, _, kept in rows)) == (total, total)
