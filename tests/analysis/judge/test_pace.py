"""Rates, gaps and trends of births by run."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.analysis.judge.history import History
from leakscan.analysis.judge.pace import steady_rate, trend_of
from leakscan.analysis.judge.rules import judge
from leakscan.analysis.results.findings import Verdict


def test_a_leak_that_began_in_the_last_third_has_its_rate_since_then():
    assert steady_rate((*(0,) * 7, *(3,) * 5)) == (8, 3.0, True)


def test_fewer_equal_runs_at_the_end_are_no_rate():
    assert steady_rate((*(0,) * 8, *(3,) * 4)) == (9, 3.0, False)


@pytest.mark.parametrize(
    ("before", "equal", "is_exact"),
    [(10, 10, True), (10, 9, False), (9, 9, False), (11, 11, True)],
)
def test_a_warm_up_may_last_for_half_of_the_runs_when_ten_equal_ones_follow(
    before: int, equal: int, is_exact: bool
):
    births = (18, *(0,) * (before - 1), *(1,) * equal)
    assert steady_rate(births)[2] is is_exact


def test_a_warm_up_may_last_for_a_quarter_of_the_runs():
    assert steady_rate((7, 1, 1, 1, 1, 1, 1, 1)) == (2, 1.0, True)
    assert steady_rate((36, 0, 0, *(1,) * 9)) == (4, 1.0, True)
    assert not steady_rate((36, 0, 0, 0, *(1,) * 8))[2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30).map(tuple))
def test_the_trend_is_every_run_held_against_every_later_one(births: tuple[int, ...]):
    pairs = [(earlier, later) for at, earlier in enumerate(births) for later in births[at + 1 :]]
    score = sum(later > earlier for earlier, later in pairs) - sum(
        later < earlier for earlier, later in pairs
    )
    assert (trend_of(births) > 0, trend_of(births) < 0) == (score > 1, score < -1)


def test_thousands_of_runs_are_judged_in_a_moment():
    births = tuple(random.Random(1).choices((0, 1, 2, 3), k=20_000))
    begun = time.process_time()
    assert judge(History(births, tuple(range(20_001)))).verdict is Verdict.LEAK
    assert time.process_time() - begun < 3
