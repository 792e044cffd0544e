"""Each rule on the counts that it is about: which one speaks, and what it says."""

from __future__ import annotations

import pytest

from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.judge.rules import judge, judge_growth, judge_undated
from leakscan.analysis.results.findings import Verdict

NOTHING_OF_THE_FIRST_TEN = (0,) * 10


def judged(*births: int, **facts: object) -> Judgement:
    return judge(History(tuple(births), **facts))


def said(*births: int, **facts: object) -> tuple[str, Verdict]:
    """(rule, verdict)"""
    found = judged(*births, **facts)
    return found.reason, found.verdict


CACHE = {"entries_before": 0, "bound_is_enforced": True}


def test_a_full_cache_is_full():
    full = {**CACHE, "entries_after": 20, "bound": 20}
    assert said(*(1,) * 20, **full) == ("visible_bound", Verdict.BOUNDED)


def test_a_cache_that_nothing_was_put_into_of_late_does_not_fill():
    stopped = (*(1,) * 10, *(0,) * 10)
    assert said(*stopped, **CACHE, entries_after=10, bound=100) == ("visible_bound", Verdict.BOUNDED)
    assert said(*(1,) * 20, **CACHE, entries_after=20, bound=100) == ("visible_bound", Verdict.FILLING)


def test_a_number_beside_a_container_says_nothing_once_births_have_stopped():
    stopped = (*(1,) * 10, *(0,) * 10)
    assert said(*stopped, entries_before=0, entries_after=10, bound=100) == ("stopped", Verdict.BOUNDED)


def test_a_holder_that_gained_far_fewer_entries_than_were_born_replaces_its_entries():
    entries = {"entries_before": 10, "entries_after": 12, "entries_new": 10}
    assert said(*NOTHING_OF_THE_FIRST_TEN, *(1,) * 10, **entries) == ("replaced", Verdict.BOUNDED)


def test_an_exact_multiple_of_the_runs_between_two_snapshots_is_a_leak():
    found = judged(202, runs_each=101)
    assert (found.reason, found.verdict, found.rate) == ("exact_multiples", Verdict.LEAK, 202.0)


def test_a_multiple_says_nothing_where_the_holder_gained_fewer_entries():
    entries = {"entries_before": 10, "entries_after": 60, "entries_new": 101}
    assert said(101, runs_each=101, **entries) == ("too_few_runs", Verdict.INCONCLUSIVE)


def test_a_multiple_says_nothing_where_the_count_of_the_type_grew_by_less():
    assert said(101, runs_each=101, counts=(500, 550)) == ("too_few_runs", Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("runs", [97, 100, 128, 1000])
def test_a_multiple_of_few_runs_or_of_a_round_number_may_be_a_cache_that_was_just_filled(runs: int):
    assert said(runs, runs_each=runs) == ("exact_multiples", Verdict.INCONCLUSIVE)


def test_what_only_the_last_of_three_long_stretches_left_is_no_leak():
    assert said(0, 0, 7, runs_each=5) == ("too_few_runs", Verdict.BOUNDED)
    assert said(0, 0, 7, runs_each=4) == ("too_few_runs", Verdict.INCONCLUSIVE)


def test_four_equal_runs_are_too_few_and_five_are_enough():
    assert said(1, 1, 1, 1) == ("too_few_runs", Verdict.INCONCLUSIVE)
    assert said(1, 1, 1, 1, 1) == ("goes_on", Verdict.LEAK)


def test_a_container_that_is_as_full_as_before_needs_no_more_runs():
    assert said(1, 1, 1, entries_before=10, entries_after=10, entries_new=3) == (
        "only_replaced",
        Verdict.BOUNDED,
    )


def test_what_came_with_the_value_of_a_name_is_as_innocent_as_the_value():
    entries = {"entries_before": 0, "entries_after": 1, "entries_new": 1, "entry_births": (0, 0, 1)}
    assert said(0, 0, 7, **entries, places=1) == ("one_for_each_place", Verdict.BOUNDED)
    assert said(0, 0, 7, **entries) == ("too_few_runs", Verdict.INCONCLUSIVE)


def test_a_name_with_one_value_does_not_acquit_what_was_born_before_the_value():
    entries = {"entries_before": 0, "entries_after": 1, "entries_new": 1, "entry_births": (0, 0, 1)}
    assert said(7, 0, 7, **entries, places=1) == ("too_few_runs", Verdict.INCONCLUSIVE)


def test_births_in_bursts_have_not_stopped_in_a_pause_like_those_before():
    assert said(*([2] * 5 + [0] * 10) * 3) == ("goes_on", Verdict.LEAK)


def test_a_few_last_runs_are_a_leak_where_chance_puts_births_there_in_one_of_fifty_captures():
    assert said(0, 0, 0, 2, 2, 2, 2, 2) == ("goes_on", Verdict.LEAK)


def test_a_few_last_runs_are_no_leak_yet_where_chance_does_not_put_births_there():
    assert said(0, 0, 0, 0, 2, 2, 2, 2, 2) == ("only_recent", Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(("released", "expected"), [(5, Verdict.LEAK), (6, Verdict.INCONCLUSIVE)])
def test_one_for_each_ten_that_went_while_it_settled_shows_a_backlog(released: int, expected: Verdict):
    births, counts = (0,) * 8 + (5,) * 12, (0,) * 9 + tuple(range(5, 65, 5))
    assert judged(*births, counts=counts, released=released).verdict is expected


@pytest.mark.parametrize(("last", "expected"), [(50, Verdict.LEAK), (49, Verdict.INCONCLUSIVE)])
def test_the_last_runs_are_a_leak_when_three_quarters_of_their_births_made_the_count_rise(
    last: int, expected: Verdict
):
    counts = (*(20, 19) * 5, 20, *range(23, 50, 3), last)
    found = judged(*NOTHING_OF_THE_FIRST_TEN, *(4,) * 10, counts=counts)
    assert found.verdict is expected


def test_a_leak_that_began_is_called_where_nothing_of_its_type_ever_went():
    births = (*(0,) * 4, *(3,) * 6)
    assert said(*births, lost=(0,) * 11) == ("goes_on", Verdict.LEAK)
    assert said(*births) == ("only_recent", Verdict.INCONCLUSIVE)


def test_a_run_in_which_nothing_was_counted_does_not_tell_that_a_store_was_emptied():
    lost = (*(9,) * 7, None, None, *(0,) * 4)
    assert said(*(0,) * 8, *(3,) * 4, lost=lost) == ("only_recent", Verdict.INCONCLUSIVE)


FIRST = (9, 8, 8, 7, 7, 6, 6, 5, 5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3)
"""Births of twenty runs that grow fewer."""


def test_births_that_grew_fewer_and_then_go_on_at_a_level_are_a_leak():
    assert said(*FIRST, *(3, 2) * 10) == ("goes_on", Verdict.LEAK)


@pytest.mark.parametrize("late", [(2, 1) * 10, (3, 2) * 9], ids=["too few births", "too few runs"])
def test_a_level_does_not_show_in_little(late: tuple[int, ...]):
    assert said(*FIRST[-len(late) :], *late)[0] == "slows_down"


@pytest.mark.parametrize(
    ("late", "rule"),
    [
        ((3, 2, 3, 4, 2, 2, 4, 2, 3, 4, 2, 4, 2, 2, 2, 3, 3, 2, 2, 2), "goes_on"),
        ((4, 2, 3, 4, 4, 3, 2, 4, 3, 3, 3, 2, 2, 2, 3, 4, 2, 3, 2, 3), "slows_down"),
    ],
    ids=["1.09 standard deviations", "1.39 standard deviations"],
)
def test_a_level_may_fall_by_as_much_as_chance_makes_of_ten_captures_in_one(late: tuple[int, ...], rule: str):
    assert said(*FIRST, *late)[0] == rule


def test_a_fall_that_chance_makes_in_one_of_seven_captures_is_no_fall():
    assert said(5, 1, 1, 1, 1) == ("goes_on", Verdict.LEAK)


def test_an_uneven_leak_is_one_since_the_run_that_it_began_in():
    found = judged(*(0,) * 4, *(1, 2, 1, 1, 2, 2, 1, 3) * 2)
    assert (found.verdict, found.since_run, found.rate) == (Verdict.LEAK, 5, 26 / 16)
    assert found.evidence.endswith("since run 5")


def test_what_the_allocator_never_saw_is_no_leak_where_its_type_does_not_grow():
    assert judge_undated(20, (500,) * 21).verdict is Verdict.BOUNDED


def test_two_counts_without_growth_are_clean():
    assert judge_growth(20, 20).verdict is Verdict.CLEAN


KEEPS_RECENT = {"entries_before": 20, "entries_gone": 10, "entries_after": 24, "entries_new": 14}


@pytest.mark.parametrize(
    ("lost", "expected"),
    [((12,) * 14, Verdict.BOUNDED), (tuple(range(14)), Verdict.INCONCLUSIVE)],
    ids=["as many as ever", "more and more"],
)
def test_a_holder_that_lets_go_of_old_ones_is_bounded_unless_it_had_more_and_more_of_them(
    lost: tuple[int, ...], expected: Verdict
):
    found = judged(*(0,) * 13, *(2,) * 7, **KEEPS_RECENT, lost=(*lost, *(0,) * 7))
    assert (found.reason, found.verdict) == ("only_recent", expected)


def test_a_holder_that_lets_go_of_old_ones_and_has_more_than_before_is_not_acquitted_without_a_census():
    assert said(*(0,) * 13, *(2,) * 7, **KEEPS_RECENT) == ("only_recent", Verdict.INCONCLUSIVE)


SAWTOOTH = (3, 4, *(0, 1, 2, 3, 4) * 3, 0, 1, 2, 3)
"""A batch of five that was written away in runs 2, 7, 12 and 17."""
SINCE_THE_LAST = (*(0,) * 17, 1, 1, 1)


def test_what_was_emptied_again_and_again_is_emptied_in_step():
    assert said(*SINCE_THE_LAST, counts=SAWTOOTH) == ("emptied_in_step", Verdict.BOUNDED)


@pytest.mark.parametrize(
    ("births", "counts"),
    [
        (SINCE_THE_LAST, (3, 4, *range(15), 0, 1, 2, 3)),
        ((*(0,) * 17, 1, 1, 3), (*SAWTOOTH[:-1], 5)),
        ((*(0,) * 17, 1, 2, 1), (*SAWTOOTH[:-2], 3, 4)),
        (SINCE_THE_LAST, (3, 4, 0, 1, 0, *range(12), 0, 1, 2, 3)),
        ((*(0,) * 7, *(1,) * 13), (3, 4, *range(5), *range(14))),
        ((1, *(0,) * 16, 1, 1, 1), SAWTOOTH),
    ],
    ids=["once", "higher than before", "at no pace", "unequal distances", "long ago", "some are older"],
)
def test_what_was_not_emptied_in_step_is_not_acquitted_by_it(
    births: tuple[int, ...], counts: tuple[int, ...]
):
    assert said(*births, counts=counts)[0] != "emptied_in_step"


def test_births_in_one_stretch_with_a_silence_of_half_its_length_have_stopped():
    assert said(*(0,) * 5, *(1,) * 8, *(0,) * 7) == ("stopped", Verdict.BOUNDED)


def test_a_short_silence_after_a_long_stretch_is_not_the_end():
    assert said(*(0,) * 8, *(1,) * 9, *(0,) * 3)[0] != "stopped"


@pytest.mark.parametrize(("bound", "needed"), [(1000, 1510), (1_000_000, 0)])
def test_runs_to_pass_a_number_are_advised_where_anyone_would_wait_for_them(bound: int, needed: int):
    found = judged(*(1,) * 20, entries_before=0, entries_after=20, bound=bound)
    assert (found.verdict, found.runs_needed) == (Verdict.INCONCLUSIVE, needed)


def test_one_without_a_birth_did_not_come_in_two_runs():
    counts = (5, 5, *(6,) * 18, 7)
    assert [judge_undated(count, counts).verdict for count in (1, 2)] == [
        Verdict.BOUNDED,
        Verdict.INCONCLUSIVE,
    ]


@pytest.mark.parametrize(
    ("births", "verdict"),
    [
        ((0, 0, 1, 1, 1, 1, 1, 0, 0, 0), Verdict.INCONCLUSIVE),
        ((0, 0, 1, 1, 0, 1, 1, 0, 0, 0), Verdict.LEAK),
        ((0, 0, 1, 1, 1, 1, 1, 0, 0), Verdict.LEAK),
        ((*[0] * 7, *[1] * 10, 0, 0, 0), Verdict.LEAK),
        ((*[0] * 6, *[1] * 11, 0, 0, 0), Verdict.INCONCLUSIVE),
        ((0, *[1] * 8, 0, 0, 0, 0), Verdict.BOUNDED),
    ],
    ids=[
        "a batch",
        "not in each run",
        "a silence of two",
        "chance of one in nine",
        "of one in fifteen",
        "a long silence",
    ],
)
def test_one_stretch_that_is_over_is_no_pace_of_a_leak(births: tuple[int, ...], verdict: Verdict):
    assert judge(History(births, lost=(0,) * (len(births) + 1))).verdict is verdict
