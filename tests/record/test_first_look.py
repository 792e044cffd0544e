"""The first look: what leaves nothing is told by the shadow of births, within two or three runs."""

from __future__ import annotations

import functools
import gc
import os
import re
import subprocess
import sys
import tracemalloc
from array import array
from collections.abc import Callable

import pytest

from leakscan.record import births
from leakscan.record.first_look import MOST_RUNS, RECOGNISED_AFTER, Look, Said, leaves_nothing


class Thing:
    pass


def counted(run: Callable[[], object]) -> tuple[bool, int]:
    """What the look says, and how many runs it took."""
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        run()

    return leaves_nothing(call), calls


def test_what_leaves_nothing_is_told_before_all_runs_are_made() -> None:
    def run() -> None:
        [Thing() for _ in range(1000)]

    still, calls = counted(run)
    assert still and calls < MOST_RUNS


@pytest.mark.parametrize(
    "make", [Thing, object, lambda: float("1.5"), lambda: "x" * int("40"), lambda: bytearray(5000), dict]
)
def test_one_object_more_after_each_run_is_never_nothing(make: Callable[[], object]) -> None:
    kept: list[object] = []
    assert counted(lambda: kept.append(make())) == (False, MOST_RUNS)


def test_a_buffer_that_grows_in_place_is_not_nothing() -> None:
    buffer = bytearray(100_000)
    assert not leaves_nothing(lambda: buffer.extend(bytes(10_000)))


def test_what_is_made_once_is_nothing() -> None:
    cache: dict[str, list[Thing]] = {}
    assert counted(lambda: cache.setdefault("made", [Thing() for _ in range(1000)]))[0]


def test_what_is_replaced_by_each_run_is_nothing() -> None:
    last: list[object] = [None]

    def run() -> None:
        last[0] = [Thing() for _ in range(100)]

    assert counted(run)[0]


def test_rings_that_only_the_collector_frees_are_nothing() -> None:
    def run() -> None:
        ring = Thing()
        ring.itself = ring  # type: ignore[attr-defined]
        gc.collect()  # makes of a younger ring an old one
        other = Thing()
        other.itself = other  # type: ignore[attr-defined]

    assert counted(run)[0]


def test_a_run_that_takes_the_allocator_hook_away_is_still_looked_at() -> None:
    kept: list[Thing] = []

    def run() -> None:
        tracemalloc.start()
        tracemalloc.stop()
        kept.append(Thing())

    assert not leaves_nothing(run)


@pytest.mark.parametrize("number", [1, 3])
def test_a_run_that_stops_what_traced_before_is_still_looked_at(number: int) -> None:
    kept: list[Thing] = []

    def run() -> None:
        kept.append(Thing())
        if len(kept) == number:
            tracemalloc.stop()

    tracemalloc.start()
    assert not leaves_nothing(run)


def test_a_run_that_records_births_itself_is_still_looked_at() -> None:
    kept: list[Thing] = []

    def run() -> None:
        births.arm(runs=3)
        births.disarm()
        kept.append(Thing())

    assert not leaves_nothing(run)


def test_objects_that_the_program_has_frozen_stay_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        assert leaves_nothing(Thing)
        assert gc.get_freeze_count() >= frozen - 100
    finally:
        gc.unfreeze()


def test_what_tidying_up_makes_is_not_the_runs() -> None:
    kept: list[Thing] = []
    calls = 0

    def run() -> None:
        nonlocal calls
        calls += 1

    assert leaves_nothing(run, lambda: kept.append(Thing()))
    assert calls < MOST_RUNS


def test_without_the_object_allocator_what_stays_is_still_seen() -> None:
    code = """
from leakscan.record.first_look import leaves_nothing
kept = []
print(leaves_nothing(lambda: kept.append(object())), leaves_nothing(lambda: None))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False True\n", "")


def test_blocks_that_go_in_one_run_do_not_hide_what_each_run_leaves() -> None:
    stock, kept = [[object() for _ in range(100)]], []

    def run() -> None:
        kept.append(Thing())
        if len(kept) == 2:
            stock.clear()

    assert not leaves_nothing(run)


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("replaced", [0, 50])
def test_a_leak_in_every_second_run_is_never_nothing(phase: int, replaced: int) -> None:
    kept: list[Thing] = []
    state: list[object] = [None]
    calls = array("q", [phase])

    def run() -> None:
        state[0] = [Thing() for _ in range(replaced)]
        calls[0] += 1
        if calls[0] % 2:
            kept.append(Thing())

    assert not leaves_nothing(run)


def test_a_run_that_leaves_no_block_is_enough_when_the_first_one_left_none_either() -> None:
    calls = array("q", [0])

    def run() -> None:
        calls[0] += 1

    assert leaves_nothing(run)
    assert calls[0] == 2


def test_what_takes_more_room_at_times_is_told_from_what_stays() -> None:
    state: list[object] = [None]
    calls = array("q", [0])
    sizes = (10, 40, 12, 30, 35, 10, 39, 20)

    def run() -> None:
        state[0] = [Thing() for _ in range(sizes[calls[0] % 8])]
        calls[0] += 1

    assert leaves_nothing(run)
    assert calls[0] < 8


def test_what_the_c_library_keeps_back_of_freed_blocks_does_not_grow() -> None:
    sizes = array("q", range(600, 1000, 25))
    calls = array("q", [0])

    def run() -> None:
        # Each run is the first to free blocks of its sizes.
        for size in sizes[2 * calls[0] : 2 * calls[0] + 2]:
            [bytearray(size) for _ in range(3)]
        calls[0] += 1

    assert counted(run)[0]
    assert calls[0] < MOST_RUNS


def test_a_run_that_looks_at_its_callers_leaves_no_frames_of_them() -> None:
    def run() -> None:
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back

    assert counted(run) == (True, 2)


def test_what_goes_on_filling_caches_with_a_bound_is_nothing_after_three_runs() -> None:
    numbers = iter(range(1000, 2000))

    @functools.lru_cache(maxsize=100)
    def cached(text: str) -> tuple[str, float]:
        return text[1:], float(text)

    def run() -> None:
        cached(str(next(numbers)))
        re.compile(f"a text with {next(numbers)}")

    assert counted(run) == (True, RECOGNISED_AFTER)


@pytest.mark.parametrize("maxsize", [100, None])
def test_what_is_held_beside_a_bounded_cache_too_or_by_one_without_a_bound_is_not_nothing(
    maxsize: int | None,
) -> None:
    numbers = iter(range(1000, 2000))
    kept: list[object] = []

    @functools.lru_cache(maxsize=maxsize)
    def cached(text: str) -> tuple[str, float]:
        return text[1:], float(text)

    def run() -> None:
        found = cached(str(next(numbers)))
        if maxsize is not None:
            kept.append(found[1])

    assert counted(run) == (False, MOST_RUNS)


def look_with_a_run_elsewhere(run: Callable[[], object]) -> tuple[Said, Said]:
    """What it says before and after a run that somebody else makes."""
    look = Look(run)
    look.open()
    try:
        before = look.ask(spares_last=True)
        look.begin_elsewhere()
        run()
        look.pause_elsewhere()
        return before, look.end_elsewhere()
    finally:
        look.close()


def test_the_last_run_may_be_made_by_somebody_else() -> None:
    calls = array("q", [0])

    def run() -> None:
        calls[0] += 1

    assert look_with_a_run_elsewhere(run) == (Said.ONE_RUN_MORE, Said.NOTHING)
    assert calls[0] == 2


def test_what_that_run_leaves_is_looked_at_again() -> None:
    kept: list[Thing] = []
    calls = array("q", [0])

    def run() -> None:
        calls[0] += 1
        if calls[0] % 2 == 0:
            kept.append(Thing())

    assert look_with_a_run_elsewhere(run) == (Said.ONE_RUN_MORE, Said.SOMETHING)
    assert calls[0] == MOST_RUNS


def test_what_others_make_while_that_run_pauses_is_not_its_own() -> None:
    others: list[object] = []
    look = Look(lambda: None)
    look.open()
    try:
        assert look.ask(spares_last=True) is Said.ONE_RUN_MORE
        for _ in range(3):
            look.begin_elsewhere()
            # What dies here lies on a free list.
            [[1.5 * len(others)], {"a": others}]
            look.pause_elsewhere()
            others.append([[1.5 * len(others)], {"a": 1}, Thing()])
        assert look.end_elsewhere() is Said.NOTHING
    finally:
        look.close()


def test_memory_that_swings_between_two_levels_does_not_grow() -> None:
    buffer = bytearray(100_000)
    calls = array("q", [0])

    def run() -> None:
        calls[0] += 1
        size = 100_000 + 50_000 * (calls[0] % 2)
        if len(buffer) < size:
            buffer.extend(bytes(size - len(buffer)))
        else:
            del buffer[size:]

    assert leaves_nothing(run)
    assert calls[0] < MOST_RUNS
