"""A guard dates objects by ticks of its own: nobody else may move them, or take them for runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leakscan
from leakscan.heap.kinds import BIRTH_UNKNOWN

PROGRAM = """
import os, time, leakscan
from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record import births
from leakscan.record.first_look import leaves_nothing

leakscan.guard("boxes")
while not os.path.exists((_native.guard_box() or "") + "/before.heap"):
    time.sleep(0.01)
for call in (lambda: births.arm(runs=3), lambda: births.begin_run(1), births.mark_own):
    try:
        call()
    except RecordError as error:
        print(error)
births.disarm()
kept = []
print(leaves_nothing(lambda: kept.append(object())))
leakscan.snapshot("mine.heap")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="guards work on Linux only")
def test_births_that_a_guard_counts_stay_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.splitlines() == [
        "births cannot be recorded: a guard counts births in this process",
        "a guard counts births in this process",
        "a guard counts births in this process",
        "False",
    ]
    mine = leakscan.load(tmp_path / "mine.heap")
    assert not mine.meta["births"]
    assert bool((mine.births == np.uint16(BIRTH_UNKNOWN)).all())
