"""`--native`: the runs once more under memray, and who allocated what; `--trim-probe` and `--control`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from drawn_ledgers import STEADY, drawn
from leakscan import _native
from leakscan.analysis.ledger.ledger import Rounds, memory_ledger
from leakscan.analysis.results.memory import NativeSite
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from leakscan.capture.directory.traced import traced_sites
from leakscan.capture.scenario.native import trace_natively
from leakscan.errors import CaptureError
from leakscan.record.tracing import owner_of

FIXTURES = Path(__file__).parents[2] / "fixtures"
QUICK = Settings(runs=5, warmup=1, settle_seconds=0.0)
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None and shutil.which("gcc") is None, reason="native_server needs a C compiler"
)


@pytest.fixture(autouse=True)
def fixtures_on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES), prepend=":")


@needs_compiler
def test_the_stack_that_allocated_a_native_leak_is_named(tmp_path):
    pytest.importorskip("memray")
    captured = capture("native_server.growth:malloc_large", output=tmp_path / "leak", settings=QUICK)
    trace_natively(captured, QUICK, python=None)
    findings = analysed_capture(captured)
    worst = findings.memory.sites[0]
    assert (worst.owner, worst.blocks) == ("", 8 * QUICK.runs)
    assert ("malloc_large", "growth.py") in [(frame[0], Path(frame[1]).name) for frame in worst.stack]
    assert abs(worst.bytes - findings.memory.row("native").delta) < 0.03 * worst.bytes
    assert not any("leakscan capture --native" in text for text in findings.memory.advice)


def test_memory_of_numpy_arrays_is_attributed_to_them(tmp_path):
    pytest.importorskip("memray")
    pytest.importorskip("numpy")
    captured = capture("native_server.growth:numpy_arrays", output=tmp_path / "leak", settings=QUICK)
    trace_natively(captured, QUICK, python=None)
    assert traced_sites(captured.directory)[0].owner == "numpy arrays"


def test_without_memray_the_error_says_where_to_install_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def once():\n    pass\n")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['memray'] = None\n")
    captured = capture(f"{program}:once", output=tmp_path / "leak", settings=QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(CaptureError, match="memray cannot be imported") as caught:
            trace_natively(captured, QUICK, python=None)
    assert "pip install memray" in caught.value.hint
    assert traced_sites(captured.directory) == ()


def test_a_damaged_trace_is_one_clear_error(tmp_path):
    (tmp_path / "native.json").write_text('{"version": 1, "sites": [{}]}')
    with pytest.raises(CaptureError, match=r"native\.json is damaged"):
        traced_sites(tmp_path)


@pytest.mark.parametrize(
    ("functions", "owner"),
    [
        (["default_malloc", "PyDataMem_UserNEW", "array_empty"], "numpy arrays"),
        (["_PyObject_ArenaMmap", "new_arena", "pymalloc_alloc"], "objects"),
        (["arrow::SystemAllocator::AllocateAligned"], "pyarrow buffers"),
        (["c10::alloc_cpu"], "torch tensors"),
        (["xmlMalloc", "xmlNewNode", "a", "b", "c", "d", "PyDataMem_UserNEW"], ""),
        ([], ""),
    ],
)
def test_an_owner_is_read_off_the_innermost_functions(functions, owner):
    assert owner_of(functions) == owner


def test_stacks_that_differ_in_the_interpreters_own_frames_are_one():
    deep = [("keep", "a.c", 3), ("_PyEval_Vector", "ceval.c", 9), ("serve", "server.py", 5)]
    sites = (
        NativeSite(100, 1, "", tuple(deep)),
        NativeSite(200, 2, "", (deep[0], deep[2])),
    )
    found = memory_ledger(Rounds(figures=drawn(native=STEADY).figures, sites=sites))
    assert found.sites == (NativeSite(300, 3, "", (deep[0], deep[2])),)


@needs_compiler
def test_the_trim_probe_says_what_comes_back(tmp_path):
    if _native.malloc_figures() is None:
        pytest.skip("glibc does not serve malloc here")
    settings = Settings(runs=5, warmup=1, trim_probe=True)
    captured = capture("native_server.growth:glibc_fragments", output=tmp_path / "leak", settings=settings)
    memory = analysed_capture(captured).memory
    assert memory.trimmed_bytes > 0.8 * memory.row("glibc_slack").delta


def test_rounds_without_work_leave_the_process_as_it_was(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def once():\n    pass\n")
    settings = Settings(runs=1, warmup=1, control=12, settle_seconds=0.0)
    captured = capture(f"{program}:once", output=tmp_path / "leak", settings=settings)
    rounds = [each.memory for each in captured.control]
    assert len(rounds) == 12
    # The first ones settle malloc's threshold; from then on measuring takes nothing.
    assert rounds[-1]["rss_bytes"] - rounds[2]["rss_bytes"] <= 64 * 1024, sys.version
