"""leakscan, and what it writes, in folders whose names are no ASCII, or no text at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leakscan
from leakscan.heap.kinds import RootFlag, RootKind

PROGRAM = """
import sys, leakscan
from leakscan import _native
from leakscan.record import births
leakscan.guard("guarded \\udcfe", counts_births=False)
_native.guard_stop()
births.arm(runs=1, sites=True)
births.begin_run(1)
leakscan.snapshot("here.heap")
"""


@pytest.fixture(scope="module", params=["\u00e9t\u00e9 \u65e5\u672c", "no text \udcff"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> leakscan.HeapGraph:
    folder = tmp_path_factory.mktemp("odd")
    installed = folder / request.param
    installed.mkdir()
    (installed / "leakscan").symlink_to(Path(leakscan.__file__).parent)
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "program.py"], cwd=folder, env=environment, check=True)
    assert (folder / "guarded \udcfe").is_dir()
    return leakscan.load(folder / "here.heap")


def test_leakscans_own_frames_are_known_there(recorded: leakscan.HeapGraph) -> None:
    roots = recorded.roots
    is_own = (roots.kinds == RootKind.THREAD) & (roots.flags & np.uint8(RootFlag.OWN) != 0)
    assert int(is_own.sum()) == 1


def test_leakscans_own_lines_allocate_nothing_there(recorded: leakscan.HeapGraph) -> None:
    files = {recorded.strings[int(each)] for each in recorded.site_files}
    assert not [file for file in files if "leakscan" in file]
