"""Runs one program of the zoo and loads what it left."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

import leakscan
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import ObjectFlag

ZOO = Path(__file__).parent / "zoo_programs"


def run(program: str, folder: Path, *, scale: int = 1, timeout_seconds: float = 900) -> str:
    """What the program printed; it must have ended well and said nothing on stderr."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "faulthandler",
            "-W",
            "ignore",
            str(ZOO / f"{program}.py"),
            str(folder),
            str(scale),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
    assert (done.returncode, done.stderr[-3000:]) == (0, "")
    return done.stdout.strip()


def counts(graph: HeapGraph, *, born: int | None = None) -> Counter[str]:
    """Objects by type; of one run only with `born`."""
    types = graph.type_ids if born is None else graph.type_ids[graph.births == born]
    numbers = np.bincount(types, minlength=len(graph.types))
    found: Counter[str] = Counter()
    for row, number in enumerate(numbers):
        if number:
            found[graph.type_names[row]] += int(number)
    return found


def load(path: Path) -> HeapGraph:
    """A snapshot that must be whole: no warning, and no object that could not be read."""
    graph = leakscan.load(path)
    unreadable = np.flatnonzero(graph.flags & ObjectFlag.UNREADABLE)
    assert [graph.type_name(int(item)) for item in unreadable[:5]] == []
    assert list(graph.warnings) == []
    return graph
