"""Strings that CPython 3.12 interns: nobody holds them, and nobody can let go of them."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from leakscan.heap.kinds import RootKind
from leakscan.heap.reader import load
from leakscan.record import births
from leakscan.record.snapshot import record


@pytest.fixture
def armed() -> Iterator[None]:
    births.arm(runs=5)
    births.begin_run(3)
    yield
    births.disarm()


@pytest.mark.usefixtures("armed")
def test_a_string_interned_in_a_run_is_there_as_long_as_the_interpreter_keeps_it(tmp_path: Path) -> None:
    addresses = {id(sys.intern(f"field_{uuid.uuid4().hex}")) for _ in range(50)}
    record(tmp_path / "after.heap", run=3)
    heap = load(tmp_path / "after.heap")
    found = {
        int(target)
        for kind, target in zip(heap.roots.kinds, heap.roots.targets, strict=True)
        if kind == RootKind.INTERPRETER and int(heap.addresses[target]) in addresses
    }
    assert {int(heap.births[obj]) for obj in found} == ({3} if sys.version_info[:2] == (3, 12) else set())
    assert len(found) == (len(addresses) if sys.version_info[:2] == (3, 12) else 0)
