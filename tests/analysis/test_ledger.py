"""The memory ledger on drawn figures: rows that add up, and which of them go on growing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from drawn_ledgers import AT_REST, KB, MB, MOVES, STEADY, drawn
from leakscan.analysis.ledger.ledger import Rounds, beyond_the_heap, memory_ledger
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.results.memory import MemoryLedger, MemoryVerdict, NativeSite


def ledger(**series: Sequence[int]) -> MemoryLedger:
    found = memory_ledger(drawn(**series))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", MOVES)
def test_each_kind_of_growth_lands_in_its_own_row(kind):
    found = ledger(**{kind: STEADY})
    assert {row.kind: row.delta for row in found.rows if row.delta} == {kind: 8 * MB}
    assert found.causes == (kind,)


@pytest.mark.parametrize("kind", MOVES)
def test_rows_and_residue_add_up_to_the_whole(kind):
    found = ledger(**{"native": [0, *[3 * MB] * 8], kind: STEADY})
    assert sum(row.delta for row in found.rows) + found.residue_bytes == found.delta


@pytest.mark.parametrize(
    ("kinds", "cause"),
    [
        (["objects"], MemoryVerdict.HEAP),
        (["native"], MemoryVerdict.NATIVE),
        (["stacks"], MemoryVerdict.NATIVE),
        (["glibc_slack"], MemoryVerdict.SLACK),
        (["pymalloc_slack", "thread_arena_slack"], MemoryVerdict.SLACK),
        (["mappings"], MemoryVerdict.MAPPINGS),
        (["objects", "native"], MemoryVerdict.SEVERAL),
    ],
)
def test_the_cause_is_named(kinds, cause):
    assert ledger(**dict.fromkeys(kinds, STEADY)).cause is cause


@pytest.mark.parametrize(
    "series",
    [
        [0] * 9,
        [0, *[8 * MB] * 8],  # one jump
        [0, 0, 0, 0, 0, 0, 0, 0, 8 * MB],
        [0, 3 * MB, 6 * MB, 8 * MB, 8 * MB, 8 * MB, 8 * MB, 8 * MB, 8 * MB],  # it stopped
        [0, 5 * MB] * 4 + [0],  # up and down
        [8 * MB - run * MB for run in range(9)],
        [run * 10 * KB for run in range(9)],  # too little
    ],
)
def test_growth_that_does_not_go_on_is_no_cause(series):
    assert ledger(native=series).cause is MemoryVerdict.NONE


def test_growth_in_steps_goes_on():
    assert ledger(pymalloc_slack=[run // 3 * 3 * MB for run in range(13)]).cause is MemoryVerdict.SLACK


def test_two_runs_are_a_difference_and_no_slope():
    assert ledger(native=[0, 4 * MB, 8 * MB]).cause is MemoryVerdict.UNDECIDED


def test_what_rounds_beside_a_growing_heap_is_no_native_leak():
    found = ledger(objects=[run * 10 * MB for run in range(9)], native=[run * 200 * KB for run in range(9)])
    assert found.causes == ("objects",)


def test_a_small_part_of_the_growth_does_not_make_it_several():
    found = ledger(objects=[run * 40 * KB for run in range(9)], pymalloc_slack=[4 * b for b in STEADY])
    assert (found.cause, found.causes) == (MemoryVerdict.SLACK, ("pymalloc_slack", "objects"))


def test_pages_without_new_address_space_are_residue_and_not_a_mapping():
    rounds = drawn(mappings=STEADY)
    for each in rounds.figures:
        each["other_anonymous_size"] = AT_REST["other_anonymous_size"]
    found = memory_ledger(rounds)
    assert (found.row("mappings").delta, found.residue_bytes, found.causes) == (0, 8 * MB, ())


def test_a_block_that_nobody_writes_to_is_below_zero_in_the_residue():
    rounds = drawn(native=[0] * 9)
    for run, each in enumerate(rounds.figures):
        each["malloc_mapped_bytes"] += run * MB
        each["other_anonymous_size"] += run * MB
    found = memory_ledger(rounds)
    assert (found.row("native").delta, found.residue_bytes, found.delta) == (8 * MB, -8 * MB, 0)


def test_pages_of_a_file_that_was_mapped_before_are_no_cause():
    rounds = drawn(mapped_files=STEADY)
    for each in rounds.figures:
        each["file_size"] = AT_REST["file_size"]
    assert memory_ledger(rounds).causes == ()


def test_a_full_heap_of_a_thread_arena_is_not_a_mapping():
    rounds = drawn(native=[0] * 9)
    for run, each in enumerate(rounds.figures):
        # Used and full to the end of its 64 MB: the kernel shows it as anybody's anonymous memory.
        for name in ("rss_bytes", "malloc_used_bytes", "other_anonymous_bytes", "other_anonymous_size"):
            each[name] += run * 64 * MB
    assert memory_ledger(rounds).causes == ("native",)


def test_swapped_memory_counts_as_memory():
    rounds = drawn(native=STEADY)
    for each in rounds.figures:
        each["rss_bytes"], each["swap_bytes"] = 30 * MB, each["rss_bytes"] - 30 * MB
    assert memory_ledger(rounds).delta == 8 * MB


def test_an_allocator_that_does_not_tell_is_one_row_and_no_verdict():
    rounds = drawn(native=STEADY)
    figures = [{k: v for k, v in each.items() if not k.startswith("malloc_")} for each in rounds.figures]
    found = memory_ledger(Rounds(figures=figures, allocator="libjemalloc.so.2"))
    assert (found.causes, found.cause) == (("malloc",), MemoryVerdict.UNDECIDED)
    assert beyond_the_heap(Verdict.CLEAN, found) is Verdict.INCONCLUSIVE
    assert "libjemalloc.so.2" in found.advice[0]
    assert sum(row.delta for row in found.rows) == found.delta


def test_a_capture_without_the_figures_has_no_ledger():
    assert memory_ledger(Rounds(figures=[{"allocated_blocks": 1}, {"allocated_blocks": 2}])) is None


@pytest.mark.parametrize(
    ("heap", "kind", "verdict"),
    [
        (Verdict.CLEAN, "native", Verdict.NATIVE),
        (Verdict.BOUNDED, "mappings", Verdict.NATIVE),
        (Verdict.INCONCLUSIVE, "native", Verdict.NATIVE),
        (Verdict.LEAK, "native", Verdict.LEAK),
        (Verdict.CLEAN, "glibc_slack", Verdict.SLACK),
        (Verdict.GARBAGE, "glibc_slack", Verdict.GARBAGE),
        (Verdict.INCONCLUSIVE, "glibc_slack", Verdict.INCONCLUSIVE),
        (Verdict.CLEAN, "objects", Verdict.CLEAN),
    ],
)
def test_the_verdict_on_the_process_takes_in_what_is_outside_of_the_heap(heap, kind, verdict):
    assert beyond_the_heap(heap, ledger(**{kind: STEADY})) is verdict


def test_what_rounds_without_work_grow_by_is_no_finding():
    rounds = drawn(native=[run * 50 * KB for run in range(9)])
    control = drawn(native=[0, 50 * KB, 100 * KB]).figures
    assert memory_ledger(rounds).causes == ("native",)
    assert memory_ledger(Rounds(figures=rounds.figures, control=control)).causes == ()


NODE_AT_REST = {
    "rss_bytes": 90 * MB,
    "anonymous_bytes": 50 * MB,
    "swap_bytes": 0,
    "heap_total_bytes": 10 * MB,
    "heap_used_bytes": 8 * MB,
    "external_bytes": 2 * MB,
}
NODE_MOVES = {
    "objects": ("rss_bytes", "anonymous_bytes", "heap_total_bytes", "heap_used_bytes"),
    "heap_slack": ("rss_bytes", "anonymous_bytes", "heap_total_bytes"),
    "buffers": ("rss_bytes", "anonymous_bytes", "external_bytes"),
    "outside_v8": ("rss_bytes", "anonymous_bytes"),
    "mapped_files": ("rss_bytes",),
}


def node_ledger(kind: str, series: Sequence[int]) -> MemoryLedger:
    moved = [dict.fromkeys(NODE_MOVES[kind], grown) for grown in series]
    rounds = [{name: value + more.get(name, 0) for name, value in NODE_AT_REST.items()} for more in moved]
    ledger = memory_ledger(Rounds(figures=rounds))
    assert ledger is not None
    return ledger


@pytest.mark.parametrize("kind", NODE_MOVES)
def test_growth_of_a_node_is_found_in_its_row_alone(kind: str):
    ledger = node_ledger(kind, [4 * grown for grown in STEADY])
    assert {row.kind: row.delta for row in ledger.rows if row.delta} == {kind: 32 * MB}


def test_what_grows_outside_of_v8_is_undecided():
    ledger = node_ledger("outside_v8", [4 * grown for grown in STEADY])
    assert beyond_the_heap(Verdict.CLEAN, ledger) is Verdict.INCONCLUSIVE


def test_a_few_megabytes_outside_of_v8_are_its_own_affair():
    assert node_ledger("outside_v8", [grown // 2 for grown in STEADY]).causes == ()


def test_blocks_that_nobody_writes_to_are_told_and_make_no_free_memory_below_zero():
    asked = ("malloc_used_bytes", "malloc_main_used_bytes")
    figures = [{**AT_REST, **{name: AT_REST[name] + run * MB for name in asked}} for run in range(5)]
    memory = memory_ledger(Rounds(figures=figures))
    assert memory is not None
    rows = {row.kind: row.bytes_after for row in memory.rows}
    assert (rows["glibc_slack"], rows["untouched"]) == (0, -3 * MB)
    assert sum(rows.values()) + memory.residue_bytes == AT_REST["rss_bytes"]


def goes_on(series: Sequence[int], kind: str = "native") -> bool:
    row = ledger(**{kind: series}).row(kind)
    assert row is not None
    return row.goes_on


@pytest.mark.parametrize(("at_half_time", "expected"), [(6_000, True), (6_300, False)])
def test_a_quarter_of_the_growth_must_fall_into_the_second_half(at_half_time: int, expected: bool):
    first = [run * at_half_time // 4 for run in range(5)]
    second = [at_half_time + (8_000 - at_half_time) * run // 4 for run in range(1, 5)]
    assert goes_on([size * KB for size in (*first, *second)]) is expected


@pytest.mark.parametrize(
    ("late", "expected"),
    [(2, False), (8, True)],
    ids=["too slow by now", "fast enough by itself"],
)
def test_growth_that_falls_from_run_to_run_is_judged_by_its_later_pace(late: int, expected: bool):
    """gRPC's pools: 12 kB for each of the first runs, then ever less."""
    rises = [22, 20, 18, 16, 15, 14, 13, 12, 11, 10, *(late + fall / 10 for fall in range(10, 0, -1))]
    assert goes_on([round(grown * KB) for grown in itertools.accumulate([0, *rises])]) is expected


@pytest.mark.parametrize(
    ("late", "verdict"),
    [(2, Verdict.CLEAN), (6, Verdict.INCONCLUSIVE), (12, Verdict.NATIVE)],
    ids=["too slow by now", "slow", "fast enough by itself"],
)
def test_a_slow_growth_that_falls_from_run_to_run_is_undecided(late: int, verdict: Verdict):
    rises = [22, 20, 18, 17, 16, 15, 14, 13, 12.8, 12.6, *(late + fall / 10 for fall in range(5, -5, -1))]
    series = [round(grown * KB) for grown in itertools.accumulate([0, *rises])]
    assert beyond_the_heap(Verdict.CLEAN, ledger(native=series)) is verdict


@pytest.mark.parametrize(("jump", "expected"), [(6, True), (10, False)])
def test_half_of_the_growth_must_be_steady(jump: int, expected: bool):
    assert goes_on([run * MB for run in range(8)] + [(8 + jump) * MB]) is expected


@pytest.mark.parametrize(("runs", "cause"), [(2, MemoryVerdict.UNDECIDED), (3, MemoryVerdict.NATIVE)])
def test_three_runs_are_a_slope(runs: int, cause: MemoryVerdict):
    assert ledger(native=[run * MB for run in range(runs + 1)]).cause is cause


@pytest.mark.parametrize(("per_run", "cause"), [(90, MemoryVerdict.NATIVE), (110, MemoryVerdict.SEVERAL)])
def test_what_grows_by_less_than_a_tenth_of_the_fastest_is_no_cause(per_run: int, cause: MemoryVerdict):
    assert ledger(native=STEADY, mappings=[run * per_run * KB for run in range(9)]).cause is cause


@pytest.mark.parametrize(("per_run", "causes"), [(48, ("objects",)), (52, ("objects", "native"))])
def test_native_growth_below_a_twentieth_of_the_heaps_is_part_of_it(per_run: int, causes: tuple[str, ...]):
    assert ledger(objects=STEADY, native=[run * per_run * KB for run in range(9)]).causes == causes


@pytest.mark.parametrize(
    ("function", "is_told"),
    [
        ("main", False),
        ("main.cold", False),
        ("_PyEval_Vector", False),
        ("main_loop", True),
        ("type_caller", True),
    ],
)
def test_the_interpreters_own_frames_are_left_out_of_a_stack_and_no_others(function: str, is_told: bool):
    site = NativeSite(100, 1, "lib.so", (("keep", "lib.c", 3), (function, "x.c", 1)))
    (told,) = memory_ledger(replace(drawn(native=STEADY), sites=(site,))).sites
    assert [name for name, _, _ in told.stack] == ["keep", *([function] if is_told else [])]
