"""Two snapshots around runs in this process: taken where something grew, and right about what is new."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from leakscan.analysis.diff import diff
from leakscan.heap.reader import load, load_earlier
from leakscan.record.growth import AFTER, BEFORE, record_growth


class Session:
    def __init__(self) -> None:
        self.itself = self


KEPT: list[Session] = []


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    KEPT.clear()


def nothing() -> None:
    pass


def test_what_each_run_leaves_is_in_the_second_snapshot(tmp_path: Path):
    assert record_growth(lambda: KEPT.append(Session()), nothing, runs=6, folder=str(tmp_path))
    findings = diff(load_earlier(tmp_path / BEFORE), load(tmp_path / AFTER), runs=6)
    assert [leak.rate for leak in findings.leaks if leak.type_name.endswith("Session")] == [1.0]


def test_rings_and_what_is_replaced_are_no_growth(tmp_path: Path):
    last: list[object] = [None]

    def run() -> None:
        Session()
        last[0] = Session()

    assert not record_growth(run, nothing, runs=6, folder=str(tmp_path))
    assert not (tmp_path / AFTER).exists()


def test_what_only_an_old_ring_holds_is_no_growth(tmp_path: Path):
    old = [Session()]
    old[0].kept = []  # type: ignore[attr-defined]

    def run() -> None:
        # Old objects are kept out of the collections between the runs, and this one becomes garbage.
        if old:
            old[0].kept.append(Session())  # type: ignore[attr-defined]
            calls.append(None)
            if len(calls) == 6:
                old.clear()

    calls: list[None] = []
    record_growth(run, nothing, runs=6, folder=str(tmp_path))
    living = [each for each in gc.get_objects() if isinstance(each, Session)]
    assert living == []


def test_the_collector_is_left_as_it_was(tmp_path: Path):
    def run() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        record_growth(run, nothing, runs=3, folder=str(tmp_path))
    assert gc.get_freeze_count() == 0
