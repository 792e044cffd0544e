"""Verdicts from counts: leaks are called, innocents are not, and what cannot be known is said to be so."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.analysis.judge.history import History
from leakscan.analysis.judge.rules import judge, judge_growth, judge_undated
from leakscan.analysis.results.findings import Verdict


def verdict(*births: int, **facts: object) -> Verdict:
    return judge(History(tuple(births), **facts)).verdict


def evidence(*births: int, **facts: object) -> str:
    return judge(History(tuple(births), **facts)).evidence


def simulate(runs: int, *, made: list[int], keep: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(births of survivors, census) of a store that drops the oldest beyond `keep`."""
    alive: list[int] = []
    counts = [0]
    for run in range(1, runs + 1):
        alive = [*alive, *[run] * made[run - 1]][-keep:]
        counts.append(len(alive))
    return tuple(alive.count(run) for run in range(1, runs + 1)), tuple(counts)


def test_one_per_run_is_a_leak_with_its_exact_rate():
    found = judge(History((1,) * 20))
    assert (found.verdict, found.rate, found.every_run, found.evidence) == (
        Verdict.LEAK,
        1.0,
        True,
        "1 per run, every run",
    )


def test_fifty_per_run_is_an_exact_multiple():
    assert evidence(*(50,) * 20) == "50 per run, every run"


@pytest.mark.parametrize("offset", range(5))
def test_one_per_five_runs_is_a_leak_wherever_it_starts(offset: int):
    births = [0] * 20
    births[offset::5] = [1] * 4
    found = judge(History(tuple(births)))
    assert (found.verdict, found.rate, found.evidence) == (Verdict.LEAK, 0.2, "1 every 5 runs")


def test_a_warm_up_before_a_leak_does_not_blur_its_rate():
    found = judge(History((30, *(2,) * 19)))
    assert (found.rate, found.every_run, found.evidence) == (
        2.0,
        True,
        "2 per run, every run since run 2 (30 more before it)",
    )


def test_a_leak_that_begins_late_is_told_from_work_in_flight_by_the_count():
    births = (0,) * 10 + (1,) * 10
    growing = tuple([5] * 11 + list(range(6, 16)))
    assert evidence(*births, counts=growing) == "1 per run, every run since run 11"


def test_births_in_the_first_run_only_are_a_warm_up():
    assert evidence(1, *(0,) * 19) == "born in run 1 only, none in the 19 runs after"


@pytest.mark.parametrize("births", [(3, 1), (1, 1, 1), (0, 4), (2, 0, 1), (9, 5, 2, 1)])
def test_births_that_stop_early_are_a_warm_up(births: tuple[int, ...]):
    assert verdict(*births, *(0,) * (20 - len(births))) is Verdict.WARM_UP


def test_one_birth_in_the_middle_gives_no_rate_and_no_alarm():
    assert verdict(*(0,) * 9, 1, *(0,) * 10) is Verdict.WARM_UP


def test_growth_that_stops_late_is_bounded():
    assert (
        evidence(*(10,) * 12, 8, *(0,) * 7, entries_after=128)
        == "grew until run 13, then stopped at 128 entries: none born in the 7 runs after"
    )


@pytest.mark.parametrize("keep", [3, 5, 10, 15, 17])
def test_a_full_store_that_replaces_its_oldest_is_bounded(keep: int):
    births, counts = simulate(20, made=[1] * 20, keep=keep)
    assert verdict(*births, counts=counts) is Verdict.BOUNDED


def test_a_store_filled_before_the_runs_is_bounded_by_its_entries_alone():
    births = (0,) * 10 + (1,) * 10
    assert verdict(*births, entries_before=10, entries_after=10, entries_new=10) is Verdict.BOUNDED


def test_a_store_that_has_just_become_full_is_not_called_either_way():
    births, counts = simulate(20, made=[1] * 20, keep=18)
    assert verdict(*births, counts=counts) is Verdict.INCONCLUSIVE


def test_a_store_that_replaces_at_random_is_bounded():
    chance = random.Random(7)
    alive: list[int] = []
    counts = [0]
    for run in range(1, 41):
        for _ in range(3):
            if len(alive) == 30:
                alive.pop(chance.randrange(30))
            alive.append(run)
        counts.append(len(alive))
    births = tuple(alive.count(run) for run in range(1, 41))
    assert verdict(*births, counts=tuple(counts)) is Verdict.BOUNDED


def test_only_the_last_result_alive_is_bounded():
    assert verdict(*(0,) * 19, 1) is Verdict.BOUNDED


def test_a_cache_with_an_enforced_bound_fills_and_is_no_leak():
    facts = {"entries_before": 0, "entries_after": 20, "bound": 128, "bound_is_enforced": True}
    assert verdict(*(1,) * 20, **facts) is Verdict.FILLING
    assert evidence(*(1,) * 20, **facts) == "20 of 128 filled, 1 per run: full after 108 more runs"


def test_a_number_that_looks_like_a_bound_asks_for_enough_runs_to_pass_it():
    found = judge(History((1,) * 20, entries_before=0, entries_after=20, bound=100))
    assert (found.verdict, found.runs_needed) == (Verdict.INCONCLUSIVE, 160)


def test_a_bound_that_is_never_reached_because_entries_go_before_is_no_reason_to_doubt():
    births, counts = simulate(20, made=[1] * 20, keep=6)
    assert verdict(*births, counts=counts, entries_after=6, bound=8) is Verdict.BOUNDED


def test_a_bound_that_was_passed_bounds_nothing():
    assert verdict(*(10,) * 20, entries_before=0, entries_after=200, bound=100) is Verdict.LEAK


def test_few_runs_are_inconclusive():
    found = judge(History((1, 1, 1)))
    assert (found.verdict, found.runs_needed) == (Verdict.INCONCLUSIVE, 20)


def test_two_births_far_apart_are_inconclusive():
    births = [0] * 20
    births[4] = births[14] = 1
    found = judge(History(tuple(births)))
    assert (found.verdict, found.runs_needed) == (Verdict.INCONCLUSIVE, 60)


def test_a_silence_of_two_runs_is_too_short_to_call_it_over():
    assert verdict(*(1,) * 18, 0, 0) is Verdict.INCONCLUSIVE


def test_what_the_last_run_has_not_handed_over_yet_does_not_hide_the_leak():
    assert evidence(*(1,) * 19, 0) == "1 per run, every run, 0 in the last"


def test_work_in_flight_that_went_down_while_it_settled_is_bounded():
    births = (0,) * 16 + (2, 2, 2, 3)
    assert verdict(*births, released=40) is Verdict.BOUNDED


def test_a_drop_in_the_type_long_ago_does_not_hide_a_leak():
    counts = (1000, 950, *range(951, 970))
    assert verdict(*(1,) * 20, counts=counts) is Verdict.LEAK


def test_nothing_alive_is_clean():
    assert verdict(*(0,) * 20) is Verdict.CLEAN


def test_two_counts_show_growth_but_no_rate():
    assert judge_growth(0, 20).verdict is Verdict.INCONCLUSIVE


def test_a_link_inside_a_bounded_cache_is_bounded_whatever_it_holds():
    assert evidence(*(1,) * 20, bound=8, bound_is_enforced=True) == "bound 8 visible"


def test_what_the_allocator_never_saw_is_dated_by_the_census():
    assert judge_undated(2, (100, 100, *(123,) * 18)).evidence == (
        "by the census of their type: born in run 2 only, none in the 17 runs after"
    )


def test_what_the_allocator_never_saw_leaks_when_the_census_does():
    assert judge_undated(20, tuple(range(21))).verdict is Verdict.LEAK


@pytest.mark.parametrize("count", [2, 4])
def test_a_census_that_goes_up_and_down_dates_nothing(count: int):
    counts = (10, 11, 10, 10, 11, 11, 10, 11, 10, 11, 10, 10, 10, 10, 10, 10, 10, 10, 10, 11, 11)
    assert judge_undated(count, counts).verdict is Verdict.BOUNDED


def test_without_a_census_what_the_allocator_never_saw_is_inconclusive():
    assert judge_undated(20, ()).verdict is Verdict.INCONCLUSIVE


@given(rate=st.integers(1, 500), runs=st.integers(5, 60))
def test_every_constant_rate_is_a_leak_with_that_rate(rate: int, runs: int):
    found = judge(History((rate,) * runs))
    assert (found.verdict, found.rate, found.every_run) == (Verdict.LEAK, float(rate), True)


@given(rate=st.integers(1, 20), keep=st.integers(1, 60), runs=st.integers(30, 60))
def test_a_store_that_keeps_its_last_entries_is_never_a_leak_once_it_was_full_for_a_while(
    rate: int, keep: int, runs: int
):
    births, counts = simulate(runs, made=[rate] * runs, keep=keep)
    full_since = -(-keep // rate)
    if runs - full_since >= 3:
        assert verdict(*births, counts=counts) is Verdict.BOUNDED


@given(births=st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_any_births_get_a_verdict_with_evidence(births: list[int]):
    assert judge(History(tuple(births))).evidence


def test_a_table_of_a_finite_set_of_keys_that_fills_ever_more_slowly_is_inconclusive():
    births = (9, 7, 8, 6, 6, 5, 5, 4, 4, 3, 4, 3, 2, 3, 2, 2, 1, 2, 1, 1)
    assert "filling up, or a leak that slows down" in evidence(*births)


def test_a_noisy_leak_after_a_warm_up_does_not_slow_down():
    births = (30, 4, 1, 2, 0, 3, 1, 2, 2, 0, 1, 3, 2, 1, 0, 2, 3, 1, 2, 1)
    assert verdict(*births) is Verdict.LEAK


def test_a_leak_at_random_is_called_in_at_least_nine_of_ten():
    draws = (random.Random(seed) for seed in range(200))
    found = [verdict(*(sum(draw.random() < 0.5 for _ in range(3)) for _ in range(20))) for draw in draws]
    assert found.count(Verdict.LEAK) >= 180


def test_a_store_that_was_emptied_and_fills_again_is_inconclusive():
    counts = (3, *range(4, 13), 0, *range(1, 11))
    assert "12 went away in run 10" in evidence(*[0] * 10, *[1] * 10, counts=counts)


def test_a_leak_that_began_is_not_taken_for_a_store_that_was_emptied():
    assert verdict(*[0] * 10, *[1] * 10, counts=(5,) * 11 + tuple(range(6, 16))) is Verdict.LEAK


BEGAN = (*[0] * 6, *[1] * 14)
ELSEWHERE = {"entries_before": 0, "entries_after": 14, "entries_new": 14, "lost": (8,) * 20 + (0,)}
"""The type lies in a full cache as well, which made its entries anew."""


def test_a_leak_that_began_in_an_empty_place_is_told_whatever_else_is_of_its_type():
    assert verdict(*BEGAN, **ELSEWHERE) is Verdict.LEAK


def test_a_leak_that_began_beside_what_stays_is_told():
    first_message = {"entries_before": 1, "entries_after": 15}
    assert verdict(*BEGAN, **{**ELSEWHERE, **first_message}) is Verdict.LEAK


@pytest.mark.parametrize(
    "facts",
    [
        {"entries_before": 3, "entries_gone": 1},
        {"released_anywhere": 1},
        {"lost": ()},
        {"entries_before": None},
    ],
)
def test_what_may_live_for_some_runs_is_not_called_a_leak_that_began(facts: dict[str, object]):
    assert verdict(*BEGAN, **{**ELSEWHERE, **facts}) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("births", [(*[0] * 7, *[1] * 13), (*[0] * 6, *[1, 3] * 7)])
def test_too_short_or_irregular_is_not_called_a_leak_that_began(births: tuple[int, ...]):
    assert verdict(*births, **ELSEWHERE) is Verdict.INCONCLUSIVE


def test_a_backlog_that_is_worked_off_too_slowly_is_a_leak_at_the_rate_of_its_count():
    births = (*[0] * 8, 2, *[4] * 11)
    found = judge(History(births, counts=tuple(range(6, 48, 2))))
    assert (found.verdict, found.rate, found.every_run) == (Verdict.LEAK, 2.0, True)


def test_a_backlog_that_was_still_draining_when_the_wait_ended_is_no_leak_yet():
    births, counts = (0,) * 8 + (5,) * 12, (0,) * 9 + tuple(range(5, 65, 5))
    assert "a backlog that drains" in evidence(*births, counts=counts, released=15)


def test_a_census_that_counts_many_more_than_are_alive_dates_nothing():
    assert judge_undated(1, tuple(range(1, 82, 4))).verdict is Verdict.BOUNDED
    assert judge_undated(1, (1, 1, 5, 1, 1, 5, 1, 1, 1, 1, 5)).verdict is Verdict.BOUNDED


def test_what_each_run_copies_and_adds_to_is_a_leak_at_the_rate_of_the_count():
    remade = {"counts": tuple(range(3, 24)), "entries_before": 1, "entries_after": 1, "places": 1}
    births = (*(0,) * 19, 23)
    assert verdict(*births, **remade, entry_births=(*(0,) * 19, 1)) is Verdict.LEAK
    assert evidence(*births, **remade) == "1 more after each run, and all are made anew each time"


def test_what_each_run_makes_anew_in_the_same_number_is_no_leak():
    assert verdict(*(0,) * 19, 23, counts=(23,) * 21) is Verdict.BOUNDED
